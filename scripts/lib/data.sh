# Which data set to train on where the user names none. Sourced after packages.sh.
# shellcheck shell=bash disable=SC2034,SC2154  # variables are shared with the scripts that source this

# Whether a file of labels, plain or gzip, begins as Fashion-MNIST's does: both sets' files have the same names.
has_fashion_labels() {
  [[ $(gzip -dcf "$1" 2>/dev/null | od -A n -t x1 -j 8 -N 8 | tr -d ' \n') == 0900000300020702 ]]
}

# Where vitcl looks for MNIST when no --data-dir is given, in its order; prints the first folder that has it.
find_mnist() {
  local base folder labels
  for base in "${VITCL_DATA_DIR:-}" ./data "${XDG_CACHE_HOME:-${HOME:-}/.cache}/vitcl"; do
    [[ -n $base ]] || continue
    for folder in "$base/mnist" "$base"; do
      for labels in "$folder"/train-labels{-,.}idx1-ubyte{,.gz}; do
        [[ -e $labels ]] || continue
        has_fashion_labels "$labels" || { echo "$folder" && return; }
      done
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
  data_reason="no MNIST in \$VITCL_DATA_DIR, ./data or the cache; Debian's package $package serves"
  if is_debian; then
    is_installed "$package" && return
    if can_be_root && apt_offers "$package" && (install_packages "for data" "$package"); then return; fi
  fi
  data_set=digits
  data_reason="no MNIST in \$VITCL_DATA_DIR, ./data or the cache, and no package $package to be had; the built-in digits serve"
}
