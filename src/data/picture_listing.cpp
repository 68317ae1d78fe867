#include "picture_listing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <system_error>

#include "hold_out.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/data/sampling.hpp"
#include "vitcl/io/image.hpp"

namespace vitcl::data {
namespace {

namespace fs = std::filesystem;

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

std::vector<std::string> sub_folders(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code loop;  // a link to itself is no folder
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (entry.is_directory(loop) && !is_hidden(entry.path())) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<fs::path> pictures_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code loop;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
    if (io::is_picture_name(entry.path()) && !is_hidden(entry.path()) && !entry.is_directory(loop))
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// The pictures of every class in `folder`, whose names become numbers by their places in `classes`.
std::vector<Picture> pictures_of(const fs::path& folder, const std::vector<std::string>& classes) {
  std::vector<Picture> pictures;
  for (const std::string& name : sub_folders(folder)) {
    const auto place = std::lower_bound(classes.begin(), classes.end(), name);
    if (place == classes.end() || *place != name)
      throw DataError(fmt::format("{} is no class of the training pictures, which have {}; rename or remove it",
                                  (folder / name).string(), fmt::join(classes, ", ")));
    const std::vector<fs::path> files = pictures_in(folder / name);
    if (files.empty())
      throw DataError(fmt::format("the class folder {} holds no .png, .jpg or .jpeg files; fill or remove it",
                                  (folder / name).string()));
    for (const fs::path& file : files) pictures.push_back({file, static_cast<int32_t>(place - classes.begin())});
  }
  return pictures;
}

std::vector<Picture> shuffled(const std::vector<Picture>& pictures) {
  constexpr uint64_t seed = 0;  // never the run's: every run and evaluation meets the same split
  std::vector<Picture> result;
  for (const int32_t i : epoch_order(pictures.size(), seed, 0)) result.push_back(pictures[static_cast<size_t>(i)]);
  return result;
}

/// Moves the pictures that are held out to a list of their own.
std::vector<Picture> take_part(std::vector<Picture>& pictures, size_t classes, double part) {
  std::vector<int32_t> labels;
  labels.reserve(pictures.size());
  for (const Picture& picture : pictures) labels.push_back(picture.label);
  const std::vector<bool> held = held_out(labels, classes, part);
  std::vector<Picture> taken, left;
  for (size_t i = 0; i < pictures.size(); ++i) (held[i] ? taken : left).push_back(std::move(pictures[i]));
  pictures = std::move(left);
  return taken;
}

/// The folder's sub-folder of test pictures; nothing where it has none.
std::optional<fs::path> test_folder(const fs::path& folder) {
  for (const char* name : {"val", "validation", "test"})
    if (fs::is_directory(folder / name)) return folder / name;
  return std::nullopt;
}

/// Why a file is not to be opened; empty where it may be. `linked`: it lies in a folder that is a link.
std::string refusal(const fs::path& file, bool linked, const std::array<fs::path, 2>& folders) {
  std::error_code error;
  const bool is_link = fs::is_symlink(file, error);
  if (!fs::is_regular_file(file, error)) return is_link ? "it is a link to no file" : "it is no regular file";
  if (!is_link && !linked) return "";
  const fs::path target = fs::canonical(file);
  const bool inside = std::any_of(folders.begin(), folders.end(), [&](const fs::path& folder) {
    return std::mismatch(folder.begin(), folder.end(), target.begin(), target.end()).first == folder.end();
  });
  return inside ? "" : fmt::format("it is a link out of the folder, to {}; a copy is wanted", target.string());
}

/// Takes out what is not to be opened. `place` is the folder of the pictures' classes.
void leave_out_refused(std::vector<Picture>& pictures, const fs::path& place, const fs::path& folder, bool strict,
                       Listing& listing) {
  std::vector<bool> linked;
  for (const std::string& name : listing.classes) linked.push_back(fs::is_symlink(place / name));
  const std::array folders{fs::canonical(folder), fs::canonical(place)};
  std::erase_if(pictures, [&](const Picture& picture) {
    const std::string reason = refusal(picture.file, linked[static_cast<size_t>(picture.label)], folders);
    if (reason.empty()) return false;
    listing.refused.push_back(fmt::format("can't read the image {}: {}", picture.file.string(), reason));
    if (strict) throw DataError(listing.refused.back());
    return true;
  });
}

}  // namespace

Listing list_pictures(const fs::path& folder, double val_split, bool strict) {
  const bool has_train = fs::is_directory(folder / "train");
  const fs::path train = has_train ? folder / "train" : folder;
  const std::optional<fs::path> test = has_train && val_split == 0 ? test_folder(folder) : std::nullopt;
  if (!test && val_split == 0)
    throw DataError(
        fmt::format("the folder {} has no pictures to test on: FOLDER/train/CLASS/*.png beside FOLDER/val/CLASS/*.png "
                    "are wanted, or --val-split 0.1 to test on a tenth of what there is",
                    folder.string()));
  Listing listing{.classes = sub_folders(train), .train = {}, .test = {}, .refused = {}};
  if (listing.classes.size() < 2)
    throw DataError(fmt::format("the folder {} holds {}; at least two folders of pictures, one a class, are wanted",
                                train.string(),
                                listing.classes.empty() ? "no class folders" : "one class: " + listing.classes[0]));
  listing.train = shuffled(pictures_of(train, listing.classes));
  listing.test = test ? shuffled(pictures_of(*test, listing.classes))
                      : take_part(listing.train, listing.classes.size(), val_split);
  if (listing.test.empty())
    throw DataError(fmt::format("{} holds no pictures to test on", (test ? *test : folder).string()));
  leave_out_refused(listing.train, train, folder, strict, listing);
  leave_out_refused(listing.test, test.value_or(train), folder, strict, listing);
  return listing;
}

}  // namespace vitcl::data
