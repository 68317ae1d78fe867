#!/usr/bin/env bash
# Builds everything with warnings as errors and runs every test on every OpenCL device found:
#
#   ./scripts/test.sh [--all-devices] [options of ctest]      ./scripts/test.sh -L style      ./scripts/test.sh -R layer_norm
#
# Installs the Debian packages it needs (apt-get, with sudo when not root): those to build, the test libraries, and
# PoCL, which makes the CPU an OpenCL device; a machine without a PoCL device fails. With --all-devices it installs what
# it can of rusticl (Mesa's llvmpipe), Oclgrind and Intel's CPU runtime, too, as ./scripts/opencl-runtimes.sh does, and
# says which of them the tests leave out.
# Ends with ctest's summary and ctest's exit code.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
source "$here/lib/common.sh"
# shellcheck source=scripts/lib/packages.sh
source "$here/lib/packages.sh"
# shellcheck source=scripts/lib/runtimes.sh
source "$here/lib/runtimes.sh"
# shellcheck source=scripts/lib/build.sh
source "$here/lib/build.sh"

case ${1:-} in
  -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit 0
    ;;
esac
all_devices=no
if [[ ${1:-} == --all-devices ]]; then
  all_devices=yes
  shift
fi

# Mesa's rusticl offers only the drivers named here.
export RUSTICL_ENABLE=${RUSTICL_ENABLE:-llvmpipe}

say "Set-up"
install_packages "to build and test" "${build_packages[@]}" "${test_packages[@]}" "$cpu_driver"
if [[ $all_devices == yes ]]; then install_runtimes; fi

say "Build"
build_preset ci

say "Devices"
"$root/build/ci/vitcl" devices >&2
(($(count_devices "$root/build/ci/vitcl" '"alias": ?"pocl"') > 0)) || die "no PoCL device is found" \
  "PoCL is the device that everyone can have, so the tests insist on it: package $cpu_driver."
if [[ $all_devices == yes ]]; then
  for alias in pocl llvmpipe intel; do
    (($(count_devices "$root/build/ci/vitcl" "\"alias\": ?\"$alias\"") > 0)) || note "no device of $alias: its tests are left out"
  done
  command -v oclgrind >/dev/null || note "no Oclgrind: its tests are left out"
fi

say "Tests"
log=$root/build/ci/test-output.log
status=0
ctest --test-dir "$root/build/ci" --output-on-failure --parallel "$(build_jobs)" "$@" 2>&1 | tee "$log" || status=$?
# ctest lists skipped and failed tests behind its summary; the verdict is repeated so that it comes last.
printf '\n'
grep -E '^(Total Test time|[0-9]+% tests passed)' "$log" | sort -r || true
exit "$status"
