#!/bin/sh
# run_under_oclgrind.sh PROGRAM [ARGUMENT...]
# Runs a program in Oclgrind with every check on, and fails if the program fails or Oclgrind reports anything that
# oclgrind_allowed.txt does not excuse. Oclgrind itself only prints: its log decides here.
# The program lies in the build folder or its tests folder, as does what is preloaded (oclgrind_whole_stores.cpp).
here=$(dirname "$0")
preload=$(dirname "$1")/liboclgrind_whole_stores.so
[ -f "$preload" ] || preload=$(dirname "$1")/tests/liboclgrind_whole_stores.so
if [ ! -f "$preload" ]; then
  echo "liboclgrind_whole_stores.so is not built beside $1" >&2
  exit 1
fi
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

# shellcheck disable=SC2016  # the inner shell expands
# No other driver needs to start. Kernels are compiled here: from a cache they would lack line numbers.
OCL_ICD_VENDORS=/nonexistent VITCL_PROGRAM_CACHE=off oclgrind \
  --check-api --data-races --uninitialized --max-errors 1000 --log "$log" \
  sh -c 'LD_PRELOAD=$1:$LD_PRELOAD; shift; exec "$@"' sh "$preload" "$@"
status=$?

# A report is a block of lines that ends with an empty one; it is excused if it holds an allowed pattern.
reports=$(awk -v allowed_file="$here/oclgrind_allowed.txt" '
  BEGIN { while ((getline line < allowed_file) > 0) if (line !~ /^#/ && line != "") allowed[++n] = line; RS = "" }
  { for (i = 1; i <= n; i++) if (index($0, allowed[i])) next; print $0 "\n" }' "$log")
if [ -n "$reports" ]; then
  printf 'Oclgrind reports:\n%s\n' "$reports" | head -n 200 >&2
  exit 1
fi
exit $status
