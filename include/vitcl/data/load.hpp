#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "vitcl/data/dataset.hpp"

namespace vitcl::data {

struct LoadOptions {
  std::filesystem::path data_dir;  ///< look here and nowhere else; empty: in the usual places
  uint64_t digits_seed = 0;
  Normalisation normalisation = Normalisation::standard;
  size_t workers = 0;        ///< threads that decode pictures; 0: as many as the processor runs at once
  size_t train_samples = 0;  ///< keep the first so many training images; 0: all
  size_t test_samples = 0;
  size_t image_size = 0;  ///< of a folder of pictures; 0: as the pictures suggest
  size_t channels = 0;    ///< likewise
  double val_split =
      0;                ///< the part of the training images, of each class alike, to test on instead of the test images
  bool strict = false;  ///< a picture that can't be decoded is an error; otherwise it is left out
  size_t most_bytes = 0;  ///< of decoded pictures to keep in memory; 0: half of the machine's
  std::filesystem::path system_dir = "/usr/share/datasets";  ///< where Debian's data packages put their files
};

/// The names that load_dataset knows besides folders: auto, mnist, fashion-mnist, cifar10, cifar100, digits.
std::vector<std::string> dataset_names();

/// What a data set's images are like.
struct ImageShape {
  size_t side = 0, channels = 0, classes = 0;
};

/// Of the sets that have a name; nothing for a folder.
std::optional<ImageShape> known_shape(const std::string& name);

/// Loads a data set by name, or from a folder of IDX files, CIFAR's binary files, or pictures (see image_folder.hpp).
/// "auto" takes what find_any_dataset finds.
///
/// The published sets are looked for in data_dir alone, where it is given; else in $VITCL_DATA_DIR, ./data and the
/// user's cache ($XDG_CACHE_HOME/vitcl or ~/.cache/vitcl), each in a sub-folder of the set's name, then directly, and
/// CIFAR in the folder that its archive makes; fashion-mnist at last in system_dir. As MNIST and Fashion-MNIST have
/// files of the same names, a folder that holds the other one, told by its first labels, is passed over. Throws
/// DataError: a set that is nowhere (with every place looked at and what to do), an unknown name, files that are broken
/// or don't fit together.
Dataset load_dataset(const std::string& name, const LoadOptions& options = {});

/// The folder where data is kept for the user: $XDG_CACHE_HOME/vitcl or ~/.cache/vitcl; empty where neither variable is
/// set.
std::filesystem::path user_cache();

/// A data set that can be loaded without further ado, and a sentence that says why this one.
struct Choice {
  std::string name;
  std::string reason;
};

/// MNIST if it is found, else Fashion-MNIST if it is found, else the built-in digits.
Choice find_any_dataset(const LoadOptions& options = {});

}  // namespace vitcl::data
