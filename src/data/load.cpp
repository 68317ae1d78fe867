#include "vitcl/data/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

#include "vitcl/backend/error.hpp"
#include "vitcl/data/digits.hpp"
#include "vitcl/data/idx.hpp"

namespace vitcl::data {
namespace {

namespace fs = std::filesystem;

constexpr size_t ten_classes = 10;

/// A published data set in IDX files.
struct KnownSet {
  const char* name;
  std::array<int32_t, 8> first_labels;                   // of the training images, in the published order
  std::optional<std::pair<float, float>> normalisation;  // mean and deviation, where there are customary ones
  std::array<const char*, ten_classes> classes;
  bool in_system_dir;
  const char* remedy;
};

constexpr std::array<KnownSet, 2> known_sets{
    {{"mnist",
      {5, 0, 4, 1, 9, 2, 1, 3},
      {{0.1307F, 0.3081F}},
      {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
      false,
      "Put its four IDX files into one of these folders or name theirs with --data-dir; or use --data fashion-mnist "
      "(Debian package dataset-fashion-mnist) or --data digits, which needs no files."},
     {"fashion-mnist",
      {9, 0, 0, 3, 0, 2, 7, 2},
      std::nullopt,
      {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"},
      true,
      "Install the Debian package dataset-fashion-mnist, or name the folder of its four IDX files with --data-dir; or "
      "use --data digits, which needs no files."}}};

const KnownSet* find_known(const std::string& name) {
  const auto found =
      std::find_if(known_sets.begin(), known_sets.end(), [&](const auto& set) { return name == set.name; });
  return found == known_sets.end() ? nullptr : found;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// The folders that data is kept in, each with the words that name it to the user.
std::vector<std::pair<fs::path, std::string>> bases(const LoadOptions& options) {
  if (!options.data_dir.empty()) return {{options.data_dir, "--data-dir"}};
  std::vector<std::pair<fs::path, std::string>> result;
  if (const std::string dir = environment("VITCL_DATA_DIR"); !dir.empty()) result.emplace_back(dir, "$VITCL_DATA_DIR");
  result.emplace_back("data", "./data");
  if (const std::string cache = environment("XDG_CACHE_HOME"); !cache.empty())
    result.emplace_back(fs::path(cache) / "vitcl", "the user's cache");
  else if (const std::string home = environment("HOME"); !home.empty())
    result.emplace_back(fs::path(home) / ".cache" / "vitcl", "the user's cache");
  return result;
}

std::vector<std::pair<fs::path, std::string>> places(const KnownSet& set, const LoadOptions& options) {
  std::vector<std::pair<fs::path, std::string>> result;
  for (const auto& [base, words] : bases(options)) {
    result.emplace_back(base / set.name, words);
    result.emplace_back(base, words);
  }
  if (options.data_dir.empty() && set.in_system_dir)
    result.emplace_back(options.system_dir / set.name, "the system's data sets");
  return result;
}

/// Whether the files are those of another known set.
bool is_another(const KnownSet& set, const IdxFiles& files) {
  const std::vector<int32_t> labels = first_idx_labels(files.train_labels, set.first_labels.size());
  return std::any_of(known_sets.begin(), known_sets.end(), [&](const KnownSet& other) {
    return &other != &set &&
           std::equal(labels.begin(), labels.end(), other.first_labels.begin(), other.first_labels.end());
  });
}

struct Found {
  IdxFiles files;
  std::string source;
};

/// Looks in every place; `looked` receives those without the set.
std::optional<Found> locate(const KnownSet& set, const LoadOptions& options, std::vector<std::string>& looked) {
  for (const auto& [folder, words] : places(set, options)) {
    const std::string description = fmt::format("{} ({})", folder.string(), words);
    if (std::optional<IdxFiles> files = find_idx_files(folder)) {
      if (!is_another(set, *files)) return Found{std::move(*files), fmt::format("IDX files in {}", description)};
      looked.push_back(description + ", which holds another set");
    } else {
      looked.push_back(description);
    }
  }
  return std::nullopt;
}

/// Reads both splits. Without `classes`, there are as many as the training labels tell.
Dataset read(const IdxFiles& files, std::optional<size_t> classes) {
  Dataset dataset;
  dataset.train = read_idx_split(files.train_images, files.train_labels);
  dataset.test = read_idx_split(files.test_images, files.test_labels);
  if (dataset.train.side != dataset.test.side)
    throw DataError(fmt::format("the images of {} have a side of {} pixels, those of {} one of {}; they must agree",
                                files.train_images.string(), dataset.train.side, files.test_images.string(),
                                dataset.test.side));
  const auto& labels = dataset.train.labels;
  dataset.classes = classes.value_or(static_cast<size_t>(*std::max_element(labels.begin(), labels.end())) + 1);
  check_labels(dataset.train, dataset.classes, files.train_labels);
  check_labels(dataset.test, dataset.classes, files.test_labels);
  return dataset;
}

Dataset load_known(const KnownSet& set, const LoadOptions& options) {
  std::vector<std::string> looked;
  const std::optional<Found> found = locate(set, options, looked);
  if (!found)
    throw DataError(
        fmt::format("the data set {} was not found. Looked in {}. {}", set.name, fmt::join(looked, ", "), set.remedy));
  Dataset dataset = read(found->files, ten_classes);
  dataset.name = set.name;
  dataset.source = found->source;
  dataset.class_names.assign(set.classes.begin(), set.classes.end());
  if (set.normalisation) {
    dataset.mean = {set.normalisation->first};
    dataset.deviation = {set.normalisation->second};
  } else {
    measure_normalisation(dataset);
  }
  return dataset;
}

Dataset load_folder(const fs::path& folder) {
  const std::optional<IdxFiles> files = find_idx_files(folder);
  if (!files)
    throw DataError(
        fmt::format("the folder {} holds no IDX files; train-images-idx3-ubyte, train-labels-idx1-ubyte, "
                    "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, plain or .gz, are wanted",
                    folder.string()));
  Dataset dataset = read(*files, std::nullopt);
  dataset.name = folder.string();
  dataset.source = fmt::format("IDX files in {}", folder.string());
  for (size_t label = 0; label < dataset.classes; ++label) dataset.class_names.push_back(std::to_string(label));
  measure_normalisation(dataset);
  return dataset;
}

/// Only as many as will be kept.
Dataset draw_some_digits(const LoadOptions& options) {
  constexpr size_t all_train = 60000, all_test = 10000;
  const size_t train = options.train_samples == 0 ? all_train : std::min(options.train_samples, all_train);
  const size_t test = options.test_samples == 0 ? all_test : std::min(options.test_samples, all_test);
  return draw_digits(options.digits_seed, train, test);
}

void keep_first(Split& split, size_t samples) {
  if (samples == 0 || samples >= split.count) return;
  split.count = samples;
  split.pixels.resize(samples * split.image_bytes());
  split.labels.resize(samples);
}

Dataset load_named(const std::string& name, const LoadOptions& options) {
  if (name == "digits") return draw_some_digits(options);
  if (const KnownSet* set = find_known(name)) return load_known(*set, options);
  if (std::error_code error; fs::is_directory(name, error)) return load_folder(name);
  throw DataError(fmt::format("there is no data set and no folder \"{}\"; wanted is one of {} or a folder of IDX files",
                              name, fmt::join(dataset_names(), ", ")));
}

}  // namespace

std::vector<std::string> dataset_names() {
  std::vector<std::string> names{"auto"};
  for (const KnownSet& set : known_sets) names.emplace_back(set.name);
  names.emplace_back("digits");
  return names;
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
  for (const KnownSet& set : known_sets) {
    std::vector<std::string> looked;
    if (const std::optional<Found> found = locate(set, options, looked))
      return {set.name, fmt::format("{}{} was found: {}", before, set.name, found->source)};
    before += fmt::format("{} was not found; ", set.name);
  }
  return {"digits", before + "the built-in digits need no files"};
}

}  // namespace vitcl::data
