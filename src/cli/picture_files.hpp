#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "vitcl/data/dataset.hpp"
#include "vitcl/io/image.hpp"

namespace vitcl::cli {

/// A picture that a command was given: by name, in a folder, or as "-", standard input.
struct PictureFile {
  std::filesystem::path path;
  bool in_folder = false;
};

/// The files that the arguments name, a folder's pictures (at any depth, links not followed) in the order of their
/// names. Throws DataError for a name that is not there and for a folder without pictures.
std::vector<PictureFile> picture_files(const std::vector<std::string>& arguments);

/// Throws DataError naming the file where it can't be read as a picture.
io::Image read_picture(const PictureFile& file);

/// Tells how many pictures of a data set were left out as they can't be read, and which the first are.
void tell_left_out(const data::Dataset& dataset);

}  // namespace vitcl::cli
