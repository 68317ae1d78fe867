#include "vitcl/data/load.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "hold_out.hpp"
#include "known_sets.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/data/cifar.hpp"
#include "vitcl/data/digits.hpp"
#include "vitcl/data/idx.hpp"
#include "vitcl/data/image_folder.hpp"

namespace vitcl::data {
namespace {

namespace fs = std::filesystem;

/// Throws DataError where all images are of one class, which nothing can be learned from.
void require_several_classes(const Dataset& dataset, const fs::path& folder) {
  const std::vector<int32_t>& labels = dataset.train.labels;
  if (std::adjacent_find(labels.begin(), labels.end(), std::not_equal_to<>()) != labels.end()) return;
  throw DataError(fmt::format("all training images in {} are of one class, {}; at least two classes are wanted",
                              folder.string(), dataset.class_names[static_cast<size_t>(labels.front())]));
}

Dataset load_known(const KnownSet& set, const LoadOptions& options) {
  std::vector<std::string> looked;
  const std::optional<Found> found = locate(set, options, looked);
  if (!found)
    throw DataError(
        fmt::format("the data set {} was not found. Looked in {}. {}", set.name, fmt::join(looked, ", "), set.remedy));
  Dataset dataset = set.read(set, found->folder);
  require_several_classes(dataset, found->folder);
  hold_out(dataset, options.val_split);
  dataset.name = set.name;
  dataset.source = found->source;
  return dataset;
}

size_t half_of_memory() {
  return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE)) / 2;
}

Dataset load_pictures(const fs::path& folder, const LoadOptions& options) {
  return load_image_folder(folder, {.image_size = options.image_size,
                                    .channels = options.channels,
                                    .val_split = options.val_split,
                                    .most_bytes = options.most_bytes == 0 ? half_of_memory() : options.most_bytes,
                                    .workers = options.workers,
                                    .strict = options.strict});
}

bool has_folders(const fs::path& folder) {
  std::error_code error;
  return std::any_of(fs::directory_iterator(folder, error), fs::directory_iterator(),
                     [](const fs::directory_entry& entry) { return entry.is_directory(); });
}

Dataset load_folder(const fs::path& folder, const LoadOptions& options) {
  Dataset dataset;
  std::optional<CifarFiles> cifar = find_cifar_files(folder, 10);
  if (find_idx_files(folder)) {
    dataset = read_idx(folder, std::nullopt);
    dataset.source = "IDX files";
  } else if (cifar || (cifar = find_cifar_files(folder, 100))) {
    dataset = read_cifar(*cifar);
    dataset.source = "CIFAR's binary files";
  } else if (has_folders(folder)) {
    dataset = load_pictures(folder, options);
    dataset.source = dataset.train.source ? "pictures, decoded whenever they are wanted" : "pictures";
  } else {
    throw DataError(
        fmt::format("the folder {} holds no data set: IDX files (train-images-idx3-ubyte, ..., plain or .gz), CIFAR's "
                    "binary files, or a folder of PNG or JPEG files for each class are wanted",
                    folder.string()));
  }
  require_several_classes(dataset, folder);
  if (dataset.train.content.empty()) hold_out(dataset, options.val_split);  // of pictures it is done
  dataset.name = folder.string();
  dataset.source += fmt::format(" in {}", folder.string());
  return dataset;
}

/// Only as many as will be kept.
Dataset draw_some_digits(const LoadOptions& options) {
  constexpr size_t all_train = 60000, all_test = 10000;
  const size_t train = options.train_samples == 0 ? all_train : std::min(options.train_samples, all_train);
  const size_t test = options.test_samples == 0 ? all_test : std::min(options.test_samples, all_test);
  Dataset dataset = draw_digits(options.digits_seed, train, test);
  hold_out(dataset, options.val_split);
  return dataset;
}

void keep_first(Split& split, size_t samples) {
  if (samples == 0 || samples >= split.count) return;
  split.count = samples;
  if (!split.source) split.pixels.resize(split.bytes());
  split.labels.resize(samples);
}

Dataset load_named(const std::string& name, const LoadOptions& options) {
  if (name == "digits") return draw_some_digits(options);
  for (const KnownSet& set : known_sets())
    if (set.name == name) return load_known(set, options);
  if (std::error_code error; fs::is_directory(name, error)) return load_folder(name, options);
  throw DataError(
      fmt::format("there is no data set and no folder \"{}\"; wanted is one of {} or a folder of IDX files, CIFAR's "
                  "binary files or pictures",
                  name, fmt::join(dataset_names(), ", ")));
}

}  // namespace

std::vector<std::string> dataset_names() {
  std::vector<std::string> names{"auto"};
  for (const KnownSet& set : known_sets()) names.push_back(set.name);
  names.emplace_back("digits");
  return names;
}

std::optional<ImageShape> known_shape(const std::string& name) {
  if (name == "cifar10" || name == "cifar100") return ImageShape{32, 3, name == "cifar10" ? size_t{10} : size_t{100}};
  const std::vector<std::string> names = dataset_names();
  if (std::find(names.begin(), names.end(), name) == names.end()) return std::nullopt;
  return ImageShape{28, 1, 10};
}

Dataset load_dataset(const std::string& name, const LoadOptions& options) {
  Dataset dataset;
  if (name == "auto") {
    const Choice choice = find_any_dataset(options);
    dataset = load_named(choice.name, options);
    dataset.source = choice.reason;
  } else {
    dataset = load_named(name, options);
  }
  keep_first(dataset.train, options.train_samples);
  keep_first(dataset.test, options.test_samples);
  if (options.normalisation == Normalisation::unit) {
    std::fill(dataset.mean.begin(), dataset.mean.end(), 0.0F);
    std::fill(dataset.deviation.begin(), dataset.deviation.end(), 1.0F);
  }
  return dataset;
}

Choice find_any_dataset(const LoadOptions& options) {
  std::string before;
  for (const KnownSet& set : known_sets().first(2)) {  // of 28 x 28 grey pixels, as the built-in digits
    std::vector<std::string> looked;
    if (const std::optional<Found> found = locate(set, options, looked))
      return {set.name, fmt::format("{}{} was found: {}", before, set.name, found->source)};
    before += fmt::format("{} was not found; ", set.name);
  }
  return {"digits", before + "the built-in digits need no files"};
}

}  // namespace vitcl::data
