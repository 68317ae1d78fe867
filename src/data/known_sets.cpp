#include "known_sets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "vitcl/backend/error.hpp"
#include "vitcl/data/cifar.hpp"
#include "vitcl/data/idx.hpp"

namespace vitcl::data {
namespace {

namespace fs = std::filesystem;

constexpr size_t ten_classes = 10;

/// What tells two sets of ten classes in IDX files apart.
struct IdxSet {
  const char* name;
  std::array<int32_t, 8> first_labels;                   // of the training images, in the published order
  std::optional<std::pair<float, float>> normalisation;  // mean and deviation, where there are customary ones
  std::array<const char*, ten_classes> classes;
};

constexpr std::array<IdxSet, 2> idx_sets{
    {{"mnist", {5, 0, 4, 1, 9, 2, 1, 3}, {{0.1307F, 0.3081F}}, {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}},
     {"fashion-mnist",
      {9, 0, 0, 3, 0, 2, 7, 2},
      std::nullopt,
      {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}}}};

Holding look_for_idx(const KnownSet& set, const fs::path& folder) {
  const std::optional<IdxFiles> files = find_idx_files(folder);
  if (!files) return Holding::nothing;
  const std::vector<int32_t> labels = first_idx_labels(files->train_labels, idx_sets[0].first_labels.size());
  const bool another = std::any_of(idx_sets.begin(), idx_sets.end(), [&](const IdxSet& other) {
    return set.name != other.name &&
           std::equal(labels.begin(), labels.end(), other.first_labels.begin(), other.first_labels.end());
  });
  return another ? Holding::another_set : Holding::this_set;
}

Dataset read_idx_set(const KnownSet& set, const fs::path& folder) {
  const IdxSet& known =
      *std::find_if(idx_sets.begin(), idx_sets.end(), [&](const IdxSet& one) { return set.name == one.name; });
  Dataset dataset = read_idx(folder, ten_classes);
  dataset.class_names.assign(known.classes.begin(), known.classes.end());
  if (known.normalisation) {
    dataset.mean = {known.normalisation->first};
    dataset.deviation = {known.normalisation->second};
  }
  return dataset;
}

size_t cifar_classes(const KnownSet& set) { return set.name == "cifar10" ? ten_classes : ten_classes * ten_classes; }

Holding look_for_cifar(const KnownSet& set, const fs::path& folder) {
  return find_cifar_files(folder, cifar_classes(set)) ? Holding::this_set : Holding::nothing;
}

Dataset read_cifar_set(const KnownSet& set, const fs::path& folder) {
  return read_cifar(*find_cifar_files(folder, cifar_classes(set)));
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
  if (const fs::path cache = user_cache(); !cache.empty()) result.emplace_back(cache, "the user's cache");
  return result;
}

std::vector<std::pair<fs::path, std::string>> places(const KnownSet& set, const LoadOptions& options) {
  std::vector<std::pair<fs::path, std::string>> result;
  for (const auto& [base, words] : bases(options))
    for (const std::string& sub : set.sub_folders) result.emplace_back(sub.empty() ? base : base / sub, words);
  if (options.data_dir.empty() && set.in_system_dir)
    result.emplace_back(options.system_dir / set.name, "the system's data sets");
  return result;
}

std::vector<KnownSet> make_known_sets() {
  const auto cifar = [](const std::string& name, const std::string& archive, const std::string& unpacked) {
    return KnownSet{name,
                    "CIFAR's binary files",
                    {name, name + "/" + unpacked, unpacked, ""},
                    false,
                    fmt::format("{}npack {} (https://www.cs.toronto.edu/~kriz/cifar.html) in one of these folders, or "
                                "name that of its files with --data-dir.",
                                name == "cifar10" ? "`vitcl data fetch cifar10` gets it; or u" : "U", archive),
                    look_for_cifar,
                    read_cifar_set};
  };
  return {{"mnist",
           "IDX files",
           {"mnist", ""},
           false,
           "`vitcl data fetch mnist` gets it; or put its four IDX files into one of these folders, or name theirs with "
           "--data-dir; or use --data "
           "fashion-mnist (Debian package dataset-fashion-mnist) or --data digits, which needs no files.",
           look_for_idx,
           read_idx_set},
          {"fashion-mnist",
           "IDX files",
           {"fashion-mnist", ""},
           true,
           "Install the Debian package dataset-fashion-mnist, or get it with `vitcl data fetch fashion-mnist`, or name "
           "the folder of its four IDX files with "
           "--data-dir; or use --data digits, which needs no files.",
           look_for_idx,
           read_idx_set},
          cifar("cifar10", "cifar-10-binary.tar.gz", "cifar-10-batches-bin"),
          cifar("cifar100", "cifar-100-binary.tar.gz", "cifar-100-binary")};
}

}  // namespace

std::filesystem::path user_cache() {
  if (const std::string cache = environment("XDG_CACHE_HOME"); !cache.empty()) return fs::path(cache) / "vitcl";
  const std::string home = environment("HOME");
  return home.empty() ? fs::path() : fs::path(home) / ".cache" / "vitcl";
}

std::span<const KnownSet> known_sets() {
  static const std::vector<KnownSet> sets = make_known_sets();
  return sets;
}

std::optional<Found> locate(const KnownSet& set, const LoadOptions& options, std::vector<std::string>& looked) {
  for (const auto& [folder, words] : places(set, options)) {
    const std::string description = fmt::format("{} ({})", folder.string(), words);
    const Holding holding = set.look(set, folder);
    if (holding == Holding::this_set) return Found{folder, fmt::format("{} in {}", set.files, description)};
    looked.push_back(description + (holding == Holding::another_set ? ", which holds another set" : ""));
  }
  return std::nullopt;
}

Dataset read_idx(const fs::path& folder, std::optional<size_t> classes) {
  const IdxFiles files = *find_idx_files(folder);
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
  for (size_t label = 0; label < dataset.classes; ++label) dataset.class_names.push_back(std::to_string(label));
  measure_normalisation(dataset);
  return dataset;
}

}  // namespace vitcl::data
