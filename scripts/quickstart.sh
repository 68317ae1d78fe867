#!/usr/bin/env bash
# From a fresh clone to a trained Vision Transformer in one command:
#
#   ./scripts/quickstart.sh [options of `vitcl train`]
#
# Installs the Debian packages it needs (apt-get, with sudo when not root), builds the release preset into
# build/release, and trains the article's model for three epochs. Where no OpenCL device is found it installs PoCL, which
# makes one of the CPU. Data: MNIST where it is found, else Debian's Fashion-MNIST package, else the built-in digits.
# Options replace these choices: --data, --epochs, --output, --device, ...; with --config or --resume the file or the run
# decides. The machine's state is changed by apt-get only; everything else lies in build/ and the run folder.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
source "$here/lib/common.sh"
# shellcheck source=scripts/lib/packages.sh
source "$here/lib/packages.sh"
# shellcheck source=scripts/lib/build.sh
source "$here/lib/build.sh"
# shellcheck source=scripts/lib/data.sh
source "$here/lib/data.sh"

case ${1:-} in
  -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit 0
    ;;
esac

# The value the user gave to an option, as "--name value" or "--name=value"; fails where there is none.
option_value() {
  local name=$1 found=1 value='' previous='' argument
  for argument in "${arguments[@]}"; do
    if [[ $previous == "$name" ]]; then value=$argument found=0; fi
    if [[ $argument == "$name="* ]]; then value=${argument#*=} found=0; fi
    previous=$argument
  done
  if ((found == 0)); then printf '%s\n' "$value"; fi
  return "$found"
}

arguments=("$@")
program=$root/build/release/vitcl

# --- what has to be there -------------------------------------------------------------------------------------------
say "Set-up"
needed=("${build_packages[@]}")
if [[ -z ${OCL_ICD_VENDORS:-} ]] && ! compgen -G '/etc/OpenCL/vendors/*.icd' >/dev/null; then
  note "No OpenCL driver is registered on this machine: adding PoCL, which makes the CPU a device"
  needed+=("$cpu_driver")
fi
install_packages "to build and run" "${needed[@]}"

data_options=()
if option_value --resume >/dev/null || option_value --config >/dev/null; then
  note "Data: as the run or the configuration says"
elif data_set=$(option_value --data); then
  note "Data: $data_set, as asked for"
elif option_value --data-dir >/dev/null; then
  note "Data: what --data-dir holds"
  data_options=(--data auto)
else
  pick_data
  note "Data: $data_set ($data_reason)"
  data_options=(--data "$data_set")
fi

# --- the program ----------------------------------------------------------------------------------------------------
say "Build"
build_preset release vitcl_cli
if (($(count_devices "$program" '"index"') == 0)); then
  note "The OpenCL drivers of this machine offer no device: adding PoCL, which makes the CPU one"
  install_packages "for a device" "$cpu_driver"
  (($(count_devices "$program" '"index"') > 0)) || die "there is still no OpenCL device" \
    "'$program devices' and 'clinfo' (package clinfo) tell more."
fi

# --- the run --------------------------------------------------------------------------------------------------------
options=()
if run=$(option_value --resume); then
  :
else
  if ! run=$(option_value --output); then
    run=runs/quickstart-$(date +%Y%m%d-%H%M%S)
    options+=(--output "$run")
  fi
  if ! option_value --config >/dev/null && ! option_value --epochs >/dev/null; then options+=(--epochs 3); fi
fi
options=("${data_options[@]}" "${options[@]}" "${arguments[@]}")
say "Training: vitcl train ${options[*]}"
"$program" train "${options[@]}"

shown=$program
if [[ $PWD == "$root" ]]; then shown=./build/release/vitcl; fi
checkpoint=$run/checkpoint-last.safetensors
data_set=$(sed -n -E 's/^data *= *"(.*)"$/\1/p' "$run/config.toml")
cat <<END
all in all      $(duration "$SECONDS"), set-up and build included

To go on:
  $shown eval $checkpoint --data $data_set
  $shown predict $checkpoint IMAGE.png
  $shown train --resume $run --epochs 25
  $shown train --help
END
