#!/usr/bin/env bash
# Runs clang-tidy (.clang-tidy: every finding is an error) over our own sources, two at a time:
#
#   ./scripts/lint.sh              everything          ./scripts/lint.sh src/nn          one folder or file
#   ./scripts/lint.sh --changed    what differs from the main branch or is not committed
#
# Uses build/ci's compile_commands.json; ./scripts/test.sh or `cmake --preset ci` makes it.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
source "$here/lib/common.sh"

cd "$root"
command -v clang-tidy >/dev/null || die "clang-tidy is not here: apt-get install clang-tidy"
[[ -e build/ci/compile_commands.json ]] || die "build/ci/compile_commands.json is not here: cmake --preset ci"

if [[ ${1:-} == --changed ]]; then
  mapfile -t files < <({ git diff --name-only --diff-filter=d main -- '*.cpp' && git ls-files -o --exclude-standard -- '*.cpp'; } | sort -u)
else
  if (($# == 0)); then set -- src tests bench; fi
  mapfile -t files < <(find "$@" -name '*.cpp' -not -path 'tests/consumer/*' | sort)
fi
say "clang-tidy over ${#files[@]} files"
((${#files[@]} > 0)) || exit 0
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P 2 clang-tidy --quiet -p build/ci 2> >(grep -v 'warnings generated' >&2)
say "Nothing found"
