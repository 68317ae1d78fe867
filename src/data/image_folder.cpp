#include "vitcl/data/image_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <fstream>
#include <optional>

#include "hold_out.hpp"
#include "parallel.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/data/sampling.hpp"
#include "vitcl/io/image.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace vitcl::data {
namespace {

namespace fs = std::filesystem;

/// A picture and its class.
struct Picture {
  fs::path file;
  int32_t label = 0;
};

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

bool is_picture(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

std::vector<std::string> sub_folders(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (entry.is_directory() && !is_hidden(entry.path())) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<fs::path> pictures_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
    if (is_picture(entry.path()) && !is_hidden(entry.path()) && !entry.is_directory()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// The pictures of every class in `folder`, whose names become numbers by their places in `classes`.
std::vector<Picture> list(const fs::path& folder, const std::vector<std::string>& classes) {
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
  for (const Picture& picture : pictures) labels.push_back(picture.label);
  const std::vector<bool> held = held_out(labels, classes, part);
  std::vector<Picture> taken, left;
  for (size_t i = 0; i < pictures.size(); ++i) (held[i] ? taken : left).push_back(std::move(pictures[i]));
  pictures = std::move(left);
  return taken;
}

/// What is in the folder, by class.
struct Listing {
  std::vector<std::string> classes;
  std::vector<Picture> train, test;
};

/// The folder's sub-folder of test pictures; nothing where it has none.
std::optional<fs::path> test_folder(const fs::path& folder) {
  for (const char* name : {"val", "validation", "test"})
    if (fs::is_directory(folder / name)) return folder / name;
  return std::nullopt;
}

Listing list(const fs::path& folder, double val_split) {
  const bool has_train = fs::is_directory(folder / "train");
  const fs::path train = has_train ? folder / "train" : folder;
  const std::optional<fs::path> test = has_train && val_split == 0 ? test_folder(folder) : std::nullopt;
  if (!test && val_split == 0)
    throw DataError(
        fmt::format("the folder {} has no pictures to test on: FOLDER/train/CLASS/*.png beside FOLDER/val/CLASS/*.png "
                    "are wanted, or --val-split 0.1 to test on a tenth of what there is",
                    folder.string()));
  Listing listing{.classes = sub_folders(train), .train = {}, .test = {}};
  if (listing.classes.size() < 2)
    throw DataError(fmt::format("the folder {} holds {}; at least two folders of pictures, one a class, are wanted",
                                train.string(),
                                listing.classes.empty() ? "no class folders" : "one class: " + listing.classes[0]));
  listing.train = shuffled(list(train, listing.classes));
  listing.test =
      test ? shuffled(list(*test, listing.classes)) : take_part(listing.train, listing.classes.size(), val_split);
  if (listing.test.empty())
    throw DataError(fmt::format("{} holds no pictures to test on", (test ? *test : folder).string()));
  return listing;
}

/// Decodes a picture whenever it is wanted.
class PictureFiles final : public ImageSource {
 public:
  PictureFiles(std::vector<Picture> pictures, size_t channels, size_t side)
      : pictures_(std::move(pictures)), channels_(channels), side_(side) {}
  void read(size_t index, std::span<uint8_t> pixels) const override {
    const io::Image image = io::read_image(pictures_[index].file);
    const std::vector<uint8_t> planes = io::planes(io::resized(io::with_channels(image, channels_), side_));
    std::copy(planes.begin(), planes.end(), pixels.begin());
  }

 private:
  std::vector<Picture> pictures_;
  size_t channels_, side_;
};

std::string hexadecimal(const std::string& text) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string hash_of(const fs::path& file) {
  constexpr size_t most = size_t{1} << 16;
  std::string text(most, '\0');
  std::ifstream stream(file, std::ios::binary);
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(stream.gcount()));
  std::error_code error;
  text += fmt::format("/{}", fs::file_size(file, error));
  return hexadecimal(text);
}

/// A hash of the pictures' names in the data set and of their files.
std::string content_of(const std::vector<Picture>& pictures, const fs::path& folder, size_t workers) {
  std::vector<std::string> lines(pictures.size());
  for_each_index(pictures.size(), workers, [&](size_t i) {
    lines[i] =
        fmt::format("{} {}\n", pictures[i].file.lexically_relative(folder).generic_string(), hash_of(pictures[i].file));
  });
  return hexadecimal(fmt::format("{}", fmt::join(lines, "")));
}

/// Fills in what the options leave to the pictures.
FolderOptions completed(FolderOptions options, const std::vector<Picture>& pictures) {
  constexpr size_t enough = 100, largest = 224;
  if (options.workers == 0) options.workers = default_workers();
  if (options.image_size == 0) {
    const io::Image first = io::read_image(pictures.front().file);
    options.image_size = std::min({first.width, first.height, largest});
  }
  if (options.channels == 0) {
    const size_t count = std::min(pictures.size(), enough);
    std::array<size_t, enough> channels{};
    for_each_index(count, options.workers, [&](size_t i) { channels[i] = io::read_image(pictures[i].file).channels; });
    options.channels = *std::max_element(channels.begin(), channels.end());
  }
  return options;
}

Split make_split(std::vector<Picture> pictures, const fs::path& folder, const FolderOptions& options, bool in_memory) {
  Split split{
      .count = pictures.size(), .channels = options.channels, .side = options.image_size, .pixels = {}, .labels = {}};
  for (const Picture& picture : pictures) split.labels.push_back(picture.label);
  split.content = content_of(pictures, folder, options.workers);
  auto source = std::make_shared<PictureFiles>(std::move(pictures), options.channels, options.image_size);
  if (!in_memory) {
    split.source = std::move(source);
    return split;
  }
  split.pixels.resize(split.bytes());
  for_each_index(split.count, options.workers, [&](size_t i) {
    source->read(i, std::span(split.pixels).subspan(i * split.image_bytes(), split.image_bytes()));
  });
  return split;
}

}  // namespace

Dataset load_image_folder(const fs::path& folder, const FolderOptions& wanted) {
  try {
    Listing listing = list(folder, wanted.val_split);
    const FolderOptions options = completed(wanted, listing.train);
    const size_t images = listing.train.size() + listing.test.size();
    const size_t bytes = images * options.channels * options.image_size * options.image_size;
    const bool in_memory = options.most_bytes == 0 || bytes <= options.most_bytes;
    Dataset dataset;
    dataset.classes = listing.classes.size();
    dataset.class_names = std::move(listing.classes);
    dataset.train = make_split(std::move(listing.train), folder, options, in_memory);
    dataset.test = make_split(std::move(listing.test), folder, options, in_memory);
    measure_normalisation(dataset);
    return dataset;
  } catch (const fs::filesystem_error& error) {
    throw DataError(fmt::format("can't read the folder {}: {}", folder.string(), error.what()));
  }
}

}  // namespace vitcl::data
