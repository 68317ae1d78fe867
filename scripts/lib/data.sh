# Which data set to train on where the user names none. Sourced after packages.sh.
# shellcheck shell=bash disable=SC2034,SC2154  # variables are shared with the scripts that source this

# Where vitcl looks for MNIST when no --data-dir is given, in its order; the first folder with the training images.
find_mnist() {
  local folder name
  for folder in "${VITCL_DATA_DIR:-}" ./data "${XDG_CACHE_HOME:-${HOME:-}/.cache}/vitcl"; do
    [[ -n $folder ]] || continue
    for name in train-images-idx3-ubyte train-images.idx3-ubyte; do
      if [[ -e $folder/$name || -e $folder/$name.gz ]]; then
        echo "$folder"
        return
      fi
    done
  done
  return 1
}

# Sets data_set and data_reason: MNIST, else Debian's Fashion-MNIST (installing it where apt has it), else the digits.
pick_data() {
  local folder package=dataset-fashion-mnist
  data_set=mnist
  if folder=$(find_mnist); then
    data_reason="MNIST is in $folder"
    return
  fi
  data_set=fashion-mnist
  data_reason="no MNIST in \$VITCL_DATA_DIR, ./data or the cache; Debian's Fashion-MNIST ($package) serves"
  if is_debian; then
    is_installed "$package" && return
    if can_be_root && apt_offers "$package" && (install_packages "for data" "$package"); then return; fi
  fi
  data_set=digits
  data_reason="no MNIST in \$VITCL_DATA_DIR, ./data or the cache, and no package $package; the built-in digits serve"
}
