# The OpenCL implementations that the tests run on. Sourced after packages.sh.
# shellcheck shell=bash disable=SC2034,SC2154  # variables are shared with the scripts that source this

readonly intel_packages=(
  intel-opencl-rt==2026.2.0 intel-cmplr-lib-rt==2026.2.0 intel-cmplr-lic-rt==2026.2.0 tbb==2023.2.0 tcmlib==1.6.0
)
readonly intel_venv=${XDG_CACHE_HOME:-${HOME:-$root/build}/.cache}/vitcl/intel-opencl-2026.2.0
readonly intel_library=$intel_venv/lib/libintelocl.so
if [[ -d ${OCL_ICD_VENDORS:-} ]]; then icd_folder=$OCL_ICD_VENDORS; else icd_folder=/etc/OpenCL/vendors; fi
readonly intel_icd=$icd_folder/intel-cpu.icd

# install_runtime NAME PACKAGE[:PROGRAM]: a Debian package; says so and fails where it can't be had.
install_runtime() {
  (install_packages "for $1" "$2") && is_installed "$2" && return
  note "$1 is left out: its Debian package ${2%%:*} can't be installed"
  return 1
}

# Intel's CPU runtime, into a virtual environment; its libraries find each other by themselves. Says why and fails where
# it can't be had.
install_intel_runtime() {
  local log=$root/build/intel-opencl.log
  mkdir -p "$root/build"
  if [[ $(uname -m) != x86_64 ]]; then
    note "Intel's CPU runtime is left out: it is made for x86-64, and this is $(uname -m)"
    return 1
  fi
  if [[ ! -e $intel_venv/installed ]]; then
    note "pip install ${intel_packages[*]}"
    make_intel_venv >"$log" 2>&1 || {
      note "Intel's CPU runtime is left out: it can't be installed from PyPI ($(tail -n 1 "$log"); more in $log)"
      return 1
    }
  fi
  register_intel_runtime
}

make_intel_venv() {
  python3 -c 'import ensurepip' || (install_packages "for virtual environments" python3-venv) || return
  rm -rf "$intel_venv"
  python3 -m venv "$intel_venv" &&
    "$intel_venv/bin/pip" --disable-pip-version-check install --no-deps --only-binary :all: "${intel_packages[@]}" &&
    touch "$intel_venv/installed"
}

# Names the library to the OpenCL loader.
register_intel_runtime() {
  if [[ ! -e $intel_library ]] || ldd "$intel_library" | grep -q 'not found'; then
    note "Intel's CPU runtime is left out: $intel_library does not load: $(ldd "$intel_library" 2>&1 | grep 'not found' || true)"
    return 1
  fi
  [[ $(cat "$intel_icd" 2>/dev/null) == "$intel_library" ]] && return
  if printf '%s\n' "$intel_library" | as_root tee "$intel_icd" >/dev/null 2>&1; then
    note "$intel_icd names $intel_library"
    return
  fi
  note "Intel's CPU runtime is left out: $intel_icd can't be written"
  return 1
}

# All that can be had. Fails where PoCL can't: every device that matters can run it.
install_runtimes() {
  install_runtime PoCL "$cpu_driver" || return
  install_runtime "rusticl (Mesa's llvmpipe)" mesa-opencl-icd || true
  install_runtime Oclgrind oclgrind:oclgrind || true
  install_intel_runtime || true
}
