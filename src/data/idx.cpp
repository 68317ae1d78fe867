#include "vitcl/data/idx.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <span>
#include <system_error>

#include "vitcl/backend/error.hpp"

namespace vitcl::data {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t images_magic = 2051, labels_magic = 2049;
constexpr uint64_t most_bytes = uint64_t{1} << 33;
constexpr uint32_t most_side = 1U << 14;

/// An IDX file, decompressed while it is read where it is gzip.
class IdxReader {
 public:
  explicit IdxReader(fs::path path) : path_(std::move(path)) {
    if (std::error_code error; !fs::is_regular_file(path_, error)) fail("it is missing or no regular file");
    errno = 0;
    file_.reset(gzopen(path_.c_str(), "rb"));
    if (!file_) fail(errno == 0 ? "zlib can't open it" : std::generic_category().message(errno));
  }

  /// The sizes behind the magic number, which must be `magic`.
  std::vector<uint32_t> header(uint32_t magic, const char* kind) {
    const uint32_t found = word();
    if (found != magic)
      fail(fmt::format("its magic number is {} (0x{:08x}), {} begin with {}", found, found, kind, magic));
    std::vector<uint32_t> sizes(magic & 0xFFU);
    std::generate(sizes.begin(), sizes.end(), [this] { return word(); });
    return sizes;
  }

  std::vector<uint8_t> body(uint64_t count) {
    std::vector<uint8_t> bytes;
    constexpr uint64_t piece = uint64_t{1} << 24;  // memory grows with the file, not with what its header claims
    while (bytes.size() < count) {
      const size_t have = bytes.size();
      bytes.resize(have + static_cast<size_t>(std::min(piece, count - have)));
      const size_t came = read(std::span(bytes).subspan(have));
      if (have + came < bytes.size())
        fail(fmt::format("it is truncated: {} bytes follow its header, which promises {}", have + came, count));
    }
    std::array<uint8_t, 1> extra{};
    if (read(extra) != 0) fail(fmt::format("it goes on behind the {} bytes that its header promises", count));
    return bytes;
  }

  /// What is there of the next `count` bytes.
  std::vector<uint8_t> at_most(size_t count) {
    std::vector<uint8_t> bytes(count);
    bytes.resize(read(bytes));
    return bytes;
  }

  [[noreturn]] void fail(const std::string& cause) const {
    throw DataError(fmt::format("can't read the IDX file {}: {}", path_.string(), cause));
  }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };

  size_t read(std::span<uint8_t> bytes) {
    const int came = gzread(file_.get(), bytes.data(), static_cast<unsigned>(bytes.size()));
    int error = Z_OK;
    const char* message = gzerror(file_.get(), &error);
    if (error == Z_BUF_ERROR) fail("it is truncated: its gzip data ends early");
    if (came < 0 || error != Z_OK) fail(fmt::format("its gzip data is broken ({})", message));
    return static_cast<size_t>(came);
  }

  uint32_t word() {
    std::array<uint8_t, 4> bytes{};
    if (read(bytes) != bytes.size()) fail("it is truncated within its header");
    return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
  }

  fs::path path_;
  std::unique_ptr<gzFile_s, Close> file_;
};

}  // namespace

std::optional<IdxFiles> find_idx_files(const fs::path& folder) {
  IdxFiles files;
  struct Wanted {
    const char* stem;
    const char* kind;
    fs::path* place;
  };
  const std::array<Wanted, 4> wanted{{{"train-images", "idx3-ubyte", &files.train_images},
                                      {"train-labels", "idx1-ubyte", &files.train_labels},
                                      {"t10k-images", "idx3-ubyte", &files.test_images},
                                      {"t10k-labels", "idx1-ubyte", &files.test_labels}}};
  std::vector<std::string> missing;
  for (const auto& [stem, kind, place] : wanted) {
    for (const char* joint : {"-", "."})
      for (const char* ending : {"", ".gz"}) {
        const fs::path path = folder / fmt::format("{}{}{}{}", stem, joint, kind, ending);
        if (std::error_code error; place->empty() && fs::exists(path, error)) *place = path;
      }
    if (place->empty()) missing.push_back(fmt::format("{}-{}", stem, kind));
  }
  if (missing.size() == wanted.size()) return std::nullopt;
  if (!missing.empty())
    throw DataError(fmt::format("the folder {} holds only a part of an IDX data set; it lacks {} (plain or .gz)",
                                folder.string(), fmt::join(missing, ", ")));
  return files;
}

Split read_idx_split(const fs::path& images, const fs::path& labels) {
  IdxReader image_file(images);
  const std::vector<uint32_t> sizes = image_file.header(images_magic, "image files");
  const uint64_t count = sizes[0], height = sizes[1], width = sizes[2];
  if (count == 0) image_file.fail("it holds no images");
  if (height != width) image_file.fail(fmt::format("its images are {} x {}, square ones are wanted", height, width));
  if (height == 0 || height > most_side || count > most_bytes / (height * width))
    image_file.fail(fmt::format("its header promises {} images of {} x {}; from 1 pixel to {} GiB in all are possible",
                                count, height, width, most_bytes >> 30));
  Split split{static_cast<size_t>(count), 1, static_cast<size_t>(height), image_file.body(count * height * width), {}};

  IdxReader label_file(labels);
  const uint64_t label_count = label_file.header(labels_magic, "label files").front();
  if (label_count != count)
    label_file.fail(fmt::format("it has {} labels, but {} has {} images", label_count, images.string(), count));
  const std::vector<uint8_t> bytes = label_file.body(label_count);
  split.labels.assign(bytes.begin(), bytes.end());
  return split;
}

std::vector<int32_t> first_idx_labels(const fs::path& labels, size_t count) {
  IdxReader file(labels);
  const size_t there = file.header(labels_magic, "label files").front();
  const std::vector<uint8_t> bytes = file.at_most(std::min(count, there));
  return {bytes.begin(), bytes.end()};
}

void check_labels(const Split& split, size_t classes, const fs::path& file) {
  const auto bad = std::find_if(split.labels.begin(), split.labels.end(),
                                [&](int32_t label) { return label < 0 || static_cast<size_t>(label) >= classes; });
  if (bad != split.labels.end())
    throw DataError(fmt::format("can't use {}: label {} is {}, but the data set has the classes 0 to {}", file.string(),
                                bad - split.labels.begin(), *bad, classes - 1));
}

}  // namespace vitcl::data
