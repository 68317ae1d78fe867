#include "vitcl/data/cifar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "vitcl/backend/error.hpp"

namespace vitcl::data {
namespace {

namespace fs = std::filesystem;

constexpr size_t side = 32, channels = 3, pixel_bytes = channels * side * side;
constexpr uintmax_t most_file_bytes = uintmax_t{1} << 31;
constexpr std::array<const char*, 10> cifar10_classes{"airplane", "automobile", "bird",  "cat",  "deer",
                                                      "dog",      "frog",       "horse", "ship", "truck"};

[[noreturn]] void fail(const fs::path& file, const std::string& cause) {
  throw DataError(fmt::format("can't read the CIFAR file {}: {}", file.string(), cause));
}

void append(const fs::path& path, const CifarFiles& files, Split& split) {
  const size_t record = files.label_bytes + pixel_bytes;
  std::error_code error;
  const uintmax_t size = fs::file_size(path, error);
  if (error) fail(path, error.message());
  if (size == 0 || size % record != 0 || size > most_file_bytes)
    fail(path, fmt::format("it has {} bytes; up to {} GiB of records of {} bytes each are wanted{}", size,
                           most_file_bytes >> 30, record, size % record != 0 ? "; it is cut off or was changed" : ""));
  std::ifstream file(path, std::ios::binary);
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  if (!file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())))
    fail(path, "it can't be read to its end");
  split.pixels.reserve(split.pixels.size() + bytes.size());
  for (size_t at = 0; at < bytes.size(); at += record) {
    const uint8_t label = bytes[at + files.label_bytes - 1];
    if (label >= files.classes)
      fail(path, fmt::format("record {} has the label {}, wanted is 0 to {}", at / record, label, files.classes - 1));
    split.labels.push_back(label);
    const auto pixels = bytes.begin() + static_cast<std::ptrdiff_t>(at + files.label_bytes);
    split.pixels.insert(split.pixels.end(), pixels, pixels + static_cast<std::ptrdiff_t>(pixel_bytes));
    ++split.count;
  }
}

Split read_split(const std::vector<fs::path>& paths, const CifarFiles& files) {
  Split split{.count = 0, .channels = channels, .side = side, .pixels = {}, .labels = {}};
  for (const fs::path& path : paths) append(path, files, split);
  return split;
}

/// The file's lines; numbers where it does not have one for each class.
std::vector<std::string> class_names(const CifarFiles& files) {
  if (files.classes == cifar10_classes.size()) return {cifar10_classes.begin(), cifar10_classes.end()};
  std::vector<std::string> names;
  std::ifstream file(files.names);
  for (std::string line; std::getline(file, line) && names.size() < files.classes;) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) names.push_back(line);
  }
  if (names.size() == files.classes) return names;
  names.clear();
  for (size_t label = 0; label < files.classes; ++label) names.push_back(std::to_string(label));
  return names;
}

}  // namespace

std::optional<CifarFiles> find_cifar_files(const fs::path& folder, size_t classes) {
  const bool ten = classes == cifar10_classes.size();
  CifarFiles files{
      .classes = classes, .label_bytes = ten ? size_t{1} : size_t{2}, .train = {}, .test = {}, .names = {}};
  if (ten) {
    for (int batch = 1; batch <= 5; ++batch) files.train.push_back(folder / fmt::format("data_batch_{}.bin", batch));
    files.test = {folder / "test_batch.bin"};
  } else {
    files.train = {folder / "train.bin"};
    files.test = {folder / "test.bin"};
    files.names = folder / "fine_label_names.txt";
  }
  std::vector<fs::path> all = files.train;
  all.insert(all.end(), files.test.begin(), files.test.end());
  std::vector<std::string> missing;
  for (const fs::path& path : all) {
    std::error_code error;
    if (!fs::exists(path, error)) missing.push_back(path.filename().string());
  }
  if (missing.size() == all.size()) return std::nullopt;
  if (!missing.empty())
    throw DataError(fmt::format("the folder {} holds only a part of CIFAR-{}; it lacks {}", folder.string(), classes,
                                fmt::join(missing, ", ")));
  return files;
}

Dataset read_cifar(const CifarFiles& files) {
  Dataset dataset;
  dataset.train = read_split(files.train, files);
  dataset.test = read_split(files.test, files);
  dataset.classes = files.classes;
  dataset.class_names = class_names(files);
  measure_normalisation(dataset);
  return dataset;
}

}  // namespace vitcl::data
