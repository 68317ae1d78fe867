#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "vitcl/data/dataset.hpp"

namespace vitcl::data {

struct LoadOptions {
  std::filesystem::path data_dir;  ///< look here and nowhere else; empty: in the usual places
  uint64_t digits_seed = 0;
  Normalisation normalisation = Normalisation::standard;
  size_t train_samples = 0;  ///< keep the first so many training images; 0: all
  size_t test_samples = 0;
  std::filesystem::path system_dir = "/usr/share/datasets";  ///< where Debian's data packages put their files
};

/// The names that load_dataset knows besides folders: auto, mnist, fashion-mnist, digits.
std::vector<std::string> dataset_names();

/// Loads a data set by name, or from a folder of IDX files. "auto" takes what find_any_dataset finds.
///
/// mnist and fashion-mnist are looked for in data_dir alone, where it is given; else in $VITCL_DATA_DIR, ./data and the
/// user's cache ($XDG_CACHE_HOME/vitcl or ~/.cache/vitcl), each in a sub-folder of the set's name, then directly;
/// fashion-mnist at last in system_dir. As both sets have files of the same names, a folder that holds the other one,
/// told by its first labels, is passed over. Throws DataError: a set that is nowhere (with every place looked at and
/// what to do), an unknown name, files that are broken or don't fit together.
Dataset load_dataset(const std::string& name, const LoadOptions& options = {});

/// A data set that can be loaded without further ado, and a sentence that says why this one.
struct Choice {
  std::string name;
  std::string reason;
};

/// MNIST if it is found, else Fashion-MNIST if it is found, else the built-in digits.
Choice find_any_dataset(const LoadOptions& options = {});

}  // namespace vitcl::data
