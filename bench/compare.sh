#!/usr/bin/env bash
# Measures vitcl beside PyTorch and tinygrad on this machine:
#
#   bench/compare.sh [--rounds N] [--only ROW]... [--json FILE] [...]      the targets, and what was reached (compare.py)
#   bench/compare.sh scaling [--only SWEEP]... [--svg FILE] [...]          how a step's time grows (scaling.py)
#
# Builds vitcl's benchmarks into build/release, and once a virtual environment with PyTorch and tinygrad in --venv FOLDER
# (without it in the user's cache); --python PROGRAM takes a Python that has them. pip's own variables (PIP_INDEX_URL, ...)
# say where packages come from. The other options are those of the two programs: `bench/compare.py --help`. All rows take
# about 25 minutes on two cores, which should have nothing else to do meanwhile.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
source "$here/../scripts/lib/common.sh"
# shellcheck source=scripts/lib/packages.sh
source "$here/../scripts/lib/packages.sh"
# shellcheck source=scripts/lib/build.sh
source "$here/../scripts/lib/build.sh"

readonly peers=('torch>=2.5' 'tinygrad==0.14.*' matplotlib)
python='' venv=${XDG_CACHE_HOME:-${HOME:-}/.cache}/vitcl/peers program=compare.py others=()
if [[ ${1:-} == scaling ]]; then program=scaling.py && shift; fi
while (($# > 0)); do
  case $1 in
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --python | --venv)
      (($# > 1)) || die "$1: its value is missing"
      if [[ $1 == --python ]]; then python=$2; else venv=$2; fi
      shift 2
      ;;
    *)
      others+=("$1")
      shift
      ;;
  esac
done

say "Set-up"
packages=("${build_packages[@]}" libgtest-dev libbenchmark-dev python3:python3)
if [[ -z $python ]]; then packages+=(python3-venv python3-dev); fi
install_packages "to build and measure" "${packages[@]}"
if [[ -z $python ]]; then
  python=$venv/bin/python
  if [[ ! -e $venv/complete ]]; then
    note "${peers[*]} into $venv"
    { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet "${peers[@]}" && touch "$venv/complete"; } >&2 ||
      die "the virtual environment could not be made; the message is above"
  fi
fi
"$python" -c 'import torch, tinygrad, matplotlib' || die "$python lacks something of: ${peers[*]}"

say "Build"
build_preset release vitcl_train_bench vitcl_op_bench

say "Measure"
exec "$python" "$here/$program" --build "$root/build/release" "${others[@]}"
