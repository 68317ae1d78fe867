#include "vitcl/data/image_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>

#include "parallel.hpp"
#include "picture_listing.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/io/image.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace vitcl::data {
namespace {

namespace fs = std::filesystem;

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

/// The picture; nothing where it can't be decoded, unless `strict`.
std::optional<io::Image> try_image(const Picture& picture, bool strict) {
  try {
    return io::read_image(picture.file);
  } catch (const DataError&) {
    if (strict) throw;
    return std::nullopt;
  }
}

/// The shorter side of the first picture that can be decoded, at most 224.
size_t suggested_side(const std::vector<Picture>& pictures, const fs::path& folder, bool strict) {
  constexpr size_t largest = 224;
  for (const Picture& picture : pictures)
    if (const auto image = try_image(picture, strict)) return std::min({image->width, image->height, largest});
  throw DataError(fmt::format("none of the training pictures in {} can be read; --strict tells why", folder.string()));
}

/// Colours where one of the first pictures has them.
size_t suggested_channels(const std::vector<Picture>& pictures, const FolderOptions& options) {
  constexpr size_t enough = 100;
  std::vector<size_t> channels(std::min(pictures.size(), enough), 1);
  for_each_index(channels.size(), options.workers, [&](size_t i) {
    if (const auto image = try_image(pictures[i], options.strict)) channels[i] = image->channels;
  });
  return std::ranges::count(channels, size_t{3}) > 0 ? 3 : 1;
}

/// Fills in what the options leave to the pictures.
FolderOptions completed(FolderOptions options, const std::vector<Picture>& pictures, const fs::path& folder) {
  if (options.workers == 0) options.workers = default_workers();
  if (options.image_size == 0) options.image_size = suggested_side(pictures, folder, options.strict);
  if (options.channels == 0) options.channels = suggested_channels(pictures, options);
  return options;
}

/// What decoding pictures gave.
struct Decoded {
  std::vector<Picture> pictures;    ///< those that can be decoded
  std::vector<uint8_t> pixels;      ///< theirs, where they are kept
  std::vector<std::string> errors;  ///< of the others
};

/// Decodes every picture.
Decoded decode(std::vector<Picture> pictures, const FolderOptions& options, bool keep_pixels) {
  const PictureFiles source(pictures, options.channels, options.image_size);
  const size_t bytes = options.channels * options.image_size * options.image_size;
  std::vector<uint8_t> pixels(keep_pixels ? pictures.size() * bytes : 0);
  std::vector<std::string> errors(pictures.size());
  for_each_index(pictures.size(), options.workers, [&](size_t i) {
    std::vector<uint8_t> unkept(keep_pixels ? 0 : bytes);
    try {
      source.read(i, keep_pixels ? std::span(pixels).subspan(i * bytes, bytes) : std::span(unkept));
    } catch (const DataError& error) {
      if (options.strict) throw;
      errors[i] = error.what();
    }
  });
  Decoded decoded;
  for (size_t i = 0; i < pictures.size(); ++i) {
    if (!errors[i].empty()) {
      decoded.errors.push_back(std::move(errors[i]));
      continue;
    }
    const size_t place = decoded.pictures.size();
    if (keep_pixels && place < i) std::copy_n(pixels.data() + i * bytes, bytes, pixels.data() + place * bytes);
    decoded.pictures.push_back(std::move(pictures[i]));
  }
  pixels.resize(keep_pixels ? decoded.pictures.size() * bytes : 0);
  decoded.pixels = std::move(pixels);
  return decoded;
}

/// A split of the pictures that can be decoded; why the others can't goes to `unreadable`.
Split make_split(std::vector<Picture> pictures, const fs::path& folder, const FolderOptions& options, bool in_memory,
                 std::vector<std::string>& unreadable) {
  Decoded decoded = in_memory || !options.strict ? decode(std::move(pictures), options, in_memory)
                                                 : Decoded{std::move(pictures), {}, {}};
  std::move(decoded.errors.begin(), decoded.errors.end(), std::back_inserter(unreadable));
  Split split{.count = decoded.pictures.size(),
              .channels = options.channels,
              .side = options.image_size,
              .pixels = std::move(decoded.pixels),
              .labels = {}};
  for (const Picture& picture : decoded.pictures) split.labels.push_back(picture.label);
  split.content = content_of(decoded.pictures, folder, options.workers);
  if (!in_memory)
    split.source = std::make_shared<PictureFiles>(std::move(decoded.pictures), options.channels, options.image_size);
  return split;
}

/// Throws DataError where, without the pictures that can't be read, a class has nothing to train on or there is nothing
/// to test on.
void require_enough_left(const Dataset& dataset, const fs::path& folder) {
  if (dataset.unreadable.empty()) return;
  const auto refuse = [&](const std::string& what) {
    throw DataError(fmt::format("{} of the pictures in {} can't be read, which leaves none {}; the first: {}",
                                dataset.unreadable.size(), folder.string(), what, dataset.unreadable.front()));
  };
  for (size_t label = 0; label < dataset.classes; ++label)
    if (std::ranges::count(dataset.train.labels, static_cast<int32_t>(label)) == 0)
      refuse(fmt::format("of the class {} to train on", dataset.class_names[label]));
  if (dataset.test.count == 0) refuse("to test on");
}

}  // namespace

Dataset load_image_folder(const fs::path& folder, const FolderOptions& wanted) {
  try {
    Listing listing = list_pictures(folder, wanted.val_split, wanted.strict);
    const FolderOptions options = completed(wanted, listing.train, folder);
    const size_t images = listing.train.size() + listing.test.size();
    const size_t bytes = images * options.channels * options.image_size * options.image_size;
    const bool in_memory = options.most_bytes == 0 || bytes <= options.most_bytes;
    Dataset dataset;
    dataset.classes = listing.classes.size();
    dataset.class_names = std::move(listing.classes);
    dataset.unreadable = std::move(listing.refused);
    dataset.train = make_split(std::move(listing.train), folder, options, in_memory, dataset.unreadable);
    dataset.test = make_split(std::move(listing.test), folder, options, in_memory, dataset.unreadable);
    require_enough_left(dataset, folder);
    measure_normalisation(dataset);
    return dataset;
  } catch (const fs::filesystem_error& error) {
    throw DataError(fmt::format("can't read the folder {}: {}", folder.string(), error.what()));
  }
}

}  // namespace vitcl::data
