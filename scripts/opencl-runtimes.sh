#!/usr/bin/env bash
# Installs the four OpenCL implementations that the tests run on, as far as they can be had, and prints what is there:
#
#   ./scripts/opencl-runtimes.sh
#
# PoCL, rusticl (Mesa's llvmpipe; RUSTICL_ENABLE=llvmpipe makes it a device) and Oclgrind (a program that others run in)
# are Debian packages. Intel's CPU runtime comes from PyPI, in fixed versions, into a virtual environment in the user's
# cache, and is named to the loader by intel-cpu.icd in /etc/OpenCL/vendors, or in the folder $OCL_ICD_VENDORS where that is set.
# Nothing else of the system is changed, and running this again changes nothing. PoCL alone is enough for everything
# else to work: without it the exit code is 1, whatever else is missing is told.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
source "$here/lib/common.sh"
# shellcheck source=scripts/lib/packages.sh
source "$here/lib/packages.sh"
# shellcheck source=scripts/lib/runtimes.sh
source "$here/lib/runtimes.sh"

case ${1:-} in
  -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit 0
    ;;
esac

# One line a device: platform, device, driver version.
list_devices() {
  "$@" clinfo --raw 2>/dev/null | awk '
    function value() { $1 = $2 = ""; sub(/^ +/, ""); return $0 }
    $2 == "CL_PLATFORM_NAME" && $1 ~ /\/\*\]/ { platform[$1] = value(); next }
    $2 == "CL_DEVICE_NAME" { key = $1; name = value(); next }
    $2 == "CL_DRIVER_VERSION" { where = key; sub(/\/[0-9]+\]/, "/*]", where)
                                printf "%s\t%s\t%s\n", platform[where], name, value() }'
}

say "OpenCL implementations"
install_runtimes || die "PoCL is not there, and can't be installed" "It is the one device that everything needs."
(install_packages "to list devices" clinfo:clinfo) || exit 0
export RUSTICL_ENABLE=${RUSTICL_ENABLE:-llvmpipe}
{
  printf 'PLATFORM\tDEVICE\tDRIVER\n'
  list_devices env
  if command -v oclgrind >/dev/null; then OCL_ICD_VENDORS=/nonexistent list_devices oclgrind; fi
} | column -t -s $'\t'
