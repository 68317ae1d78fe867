#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "vitcl/data/dataset.hpp"

namespace vitcl::data {

/// The files of CIFAR-10 or CIFAR-100 in their binary version (https://www.cs.toronto.edu/~kriz/cifar.html). A record
/// is a label byte (CIFAR-100: a coarse one, then a fine one) and 3 x 32 x 32 bytes: the red, green and blue plane.
struct CifarFiles {
  size_t classes = 10;     ///< 10 or 100
  size_t label_bytes = 1;  ///< the last is the label
  std::vector<std::filesystem::path> train, test;
  std::filesystem::path names;  ///< a line a class; empty where that file is missing
};

/// Looks in `folder` for data_batch_1.bin to data_batch_5.bin and test_batch.bin (`classes` 10), or train.bin and
/// test.bin (100). Nothing where none of them is there; throws DataError naming what is missing where only some are.
std::optional<CifarFiles> find_cifar_files(const std::filesystem::path& folder, size_t classes);

/// Reads both splits, in the order of the files. CIFAR-100's classes are the fine ones. Throws DataError naming the
/// file: no whole number of records, no record, a label out of range.
Dataset read_cifar(const CifarFiles& files);

}  // namespace vitcl::data
