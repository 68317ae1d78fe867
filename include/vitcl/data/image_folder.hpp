#pragma once

#include <cstddef>
#include <filesystem>

#include "vitcl/data/dataset.hpp"

namespace vitcl::data {

/// How the pictures of a folder become a data set.
struct FolderOptions {
  size_t image_size = 0;  ///< the side to which every picture is stretched or shrunk; 0: as the pictures suggest
  size_t channels = 0;    ///< 1 grey, 3 colours; 0: as the pictures suggest
  double val_split =
      0;  ///< the part of the training pictures, of each class alike, to test on; 0: on the test pictures
  size_t most_bytes =
      0;  ///< of decoded pictures to keep in memory; more are decoded whenever they are wanted. 0: no limit
  size_t workers = 0;   ///< threads that decode; 0: as many as the processor runs at once
  bool strict = false;  ///< a picture that can't be decoded is an error; otherwise it is left out
};

/// Reads PNG and JPEG files, told by their names' endings, at any depth in folders named after their classes:
/// FOLDER/train/CLASS beside FOLDER/val/CLASS (or validation, or test), or FOLDER/CLASS with `val_split`. Classes are
/// numbered in the byte order of their names. The pictures are in an order drawn once from their number, so that the
/// first so many are a fair choice; it and the split depend on the names alone. Names that begin with a dot are passed
/// over, and links to folders inside a class. Links to files are followed where these lie in FOLDER, or in what
/// FOLDER/train or FOLDER/val is a link to.
///
/// As the pictures suggest: colours where one of a hundred has them; the shorter side of the first, at most 224.
/// The fingerprint follows the names, sizes and first 64 KiB of the files, and is the same in memory and not.
///
/// Unless `strict`, every picture is decoded once. Those that can't be, other links and what is no regular file are
/// left out and told in the data set's `unreadable`: the others are what they would be without them, in memory and not,
/// on the same side of the split.
///
/// Throws DataError naming the folder or file: no classes, one class, a class without pictures or without any that can
/// be read, no test pictures, test classes that training lacks; where `strict`, a picture that can't be decoded (here
/// where all are kept in memory, else when it is read).
Dataset load_image_folder(const std::filesystem::path& folder, const FolderOptions& options);

}  // namespace vitcl::data
