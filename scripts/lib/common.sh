# What the scripts share: messages and the project's root. Sourced, never run.
# shellcheck shell=bash disable=SC2034,SC2154  # variables are shared with the scripts that source this

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root

# Progress goes to stderr, so that stdout holds results only.
say() { printf '==> %s\n' "$*" >&2; }
note() { printf '    %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit 1
}

# Seconds as "3 min 12 s".
duration() {
  if (($1 < 60)); then printf '%d s' "$1"; else printf '%d min %d s' $(($1 / 60)) $(($1 % 60)); fi
}

# How many jobs a build may run: one a core, and one for each 1.5 GiB of memory, as a C++ compiler can take that much.
build_jobs() {
  local cores kib
  cores=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
  kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo 2>/dev/null || true)
  if [[ -n $kib ]] && ((kib / 1572864 < cores)); then cores=$((kib / 1572864)); fi
  echo $((cores > 0 ? cores : 1))
}
