#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "vitcl/data/dataset.hpp"

namespace vitcl::data {

/// The four files of an IDX data set, the format of MNIST (http://yann.lecun.com/exdb/mnist).
struct IdxFiles {
  std::filesystem::path train_images, train_labels, test_images, test_labels;
};

/// Looks in `folder` for train-images-idx3-ubyte and its three companions, each also spelt train-images.idx3-ubyte and
/// with or without .gz. Nothing where none of the four is there; throws DataError naming those that are missing where
/// only some are.
std::optional<IdxFiles> find_idx_files(const std::filesystem::path& folder);

/// Reads a pair of files, plain or gzip. Throws DataError naming the file, what came and what was wanted: wrong magic
/// number, truncated, bytes behind the end, no images, not square, larger than memory allows, broken gzip, as many
/// labels as images. A compressed file is read no further than its header says.
Split read_idx_split(const std::filesystem::path& images, const std::filesystem::path& labels);

/// The first `count` labels of a file, fewer where it has fewer: enough to tell known data sets apart.
std::vector<int32_t> first_idx_labels(const std::filesystem::path& labels, size_t count);

/// Throws DataError naming `file` and the first label that is not below `classes`.
void check_labels(const Split& split, size_t classes, const std::filesystem::path& file);

}  // namespace vitcl::data
