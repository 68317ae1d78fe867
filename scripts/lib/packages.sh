# Debian packages: which are needed, which are missing, and how they get installed. Sourced after common.sh.
# shellcheck shell=bash disable=SC2034,SC2154  # variables are shared with the scripts that source this

# A package whose program may also come from elsewhere is written package:program; the program alone is then enough.
readonly build_packages=(
  g++:c++ cmake:cmake ninja-build:ninja
  ocl-icd-opencl-dev opencl-clhpp-headers libclblast-dev
  libcli11-dev libfmt-dev nlohmann-json3-dev zlib1g-dev libpng-dev libjpeg62-turbo-dev
  libxxhash-dev libcurl4-openssl-dev libarchive-dev libssl-dev ca-certificates
)
readonly test_packages=(
  libgtest-dev librapidcheck-dev libbenchmark-dev python3:python3 clang-format:clang-format shellcheck:shellcheck
)
readonly cpu_driver=pocl-opencl-icd

is_debian() { command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; }

# is_installed PACKAGE[:PROGRAM]
is_installed() {
  if [[ $1 == *:* ]] && command -v "${1#*:}" >/dev/null; then return 0; fi
  [[ $(dpkg-query -W -f '${db:Status-Status}' "${1%%:*}" 2>/dev/null) == installed ]]
}

# Prints those of the given packages that are missing, one a line, without the program's name.
missing_packages() {
  local package
  for package in "$@"; do is_installed "$package" || echo "${package%%:*}"; done
}

# Runs a command as root; fails where that is impossible.
as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

can_be_root() { ((EUID == 0)) || command -v sudo >/dev/null; }

# Fetches the package lists, once a run. Old lists may still do, so a failure is told and not fatal.
refreshed=no
refresh_lists() {
  if [[ $refreshed == yes ]]; then return; fi
  refreshed=yes
  can_be_root || return 0
  note "apt-get update"
  as_root apt-get -qq update >&2 || note "apt-get update failed; going on with the package lists that are there"
}

# Whether apt knows a package; looks again with fresh lists before it says no.
apt_offers() {
  apt-cache show --no-all-versions "$1" >/dev/null 2>&1 && return
  refresh_lists
  apt-cache show --no-all-versions "$1" >/dev/null 2>&1
}

# The packages' names without the programs'.
names_only() { printf '%s\n' "${@%%:*}" | paste -sd' '; }

# install_packages WHY PACKAGE[:PROGRAM]...: installs what is missing of the packages and says so; ends the script with
# the reason and the remedy where that can't be done.
install_packages() {
  local why=$1 missing log=$root/build/packages.log
  shift
  if ! is_debian; then
    say "This is not Debian (no apt-get), so nothing is installed. Needed $why, by Debian's names:"
    note "$(names_only "$@")"
    return
  fi
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]} == 0)); then
    note "Debian packages $why: all there"
    return
  fi
  say "Installing ${#missing[@]} Debian packages $why"
  note "${missing[*]}"
  can_be_root || die "installing packages needs root, and there is no sudo here" \
    "As root, run: apt-get install --no-install-recommends ${missing[*]}" "and start this script again."
  refresh_lists
  mkdir -p "$root/build"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 \
    install --yes --no-install-recommends "${missing[@]}" >"$log" 2>&1 </dev/null && return
  grep '^[EW]:' "$log" >&2 || tail -n 5 "$log" >&2
  die "apt-get could not install: ${missing[*]}" "All it said is in $log." \
    "Once these packages are there, by whatever way, start this script again."
}
