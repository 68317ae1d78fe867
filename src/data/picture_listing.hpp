#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vitcl::data {

/// A picture and its class.
struct Picture {
  std::filesystem::path file;
  int32_t label = 0;
};

/// The pictures in a folder, each split in an order drawn once from its number.
struct Listing {
  std::vector<std::string> classes;  ///< in the byte order of their names
  std::vector<Picture> train, test;
  std::vector<std::string> refused;  ///< why a file was left out: links out of the folder, what is no regular file
};

/// Lists FOLDER/train/CLASS and FOLDER/val/CLASS (or validation, or test), or with `val_split` what is held out of
/// FOLDER/train/CLASS or FOLDER/CLASS. Throws DataError where there are less than two classes, a class without
/// pictures, no test pictures or test classes that training lacks, and where `strict` for what else would be refused.
Listing list_pictures(const std::filesystem::path& folder, double val_split, bool strict);

}  // namespace vitcl::data
