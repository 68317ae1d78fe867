# Configuring and building a preset, and asking the program about devices. Sourced after common.sh.
# shellcheck shell=bash disable=SC2034,SC2154  # variables are shared with the scripts that source this

# build_preset NAME [TARGET...]: configures and builds into build/NAME; all targets where none is given.
build_preset() {
  local preset=$1 tool targets=()
  shift
  for tool in cmake ninja c++; do
    command -v "$tool" >/dev/null || die "$tool is not here, and nothing can be built without it"
  done
  if (($# > 0)); then targets=(--target "$@"); fi
  mkdir -p "$root/build"
  note "cmake --preset $preset"
  if ! (cd "$root" && cmake --preset "$preset") >"$root/build/configure-$preset.log" 2>&1; then
    cat "$root/build/configure-$preset.log" >&2
    die "CMake could not configure the preset $preset; its message is above"
  fi
  note "cmake --build build/$preset"
  cmake --build "$root/build/$preset" --parallel "$(build_jobs)" "${targets[@]}" >&2 ||
    die "the build failed; the compiler's message is above"
}

# How many devices the program finds whose entry in `devices --json` matches a pattern.
count_devices() {
  local program=$1 pattern=$2
  "$program" devices --json 2>/dev/null | grep -o -i -E "$pattern" | wc -l
}
