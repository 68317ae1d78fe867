#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vitcl/data/load.hpp"

namespace vitcl::data {

enum class Holding { nothing, another_set, this_set };

/// A published data set: where it lies and how it is told from others and read.
struct KnownSet {
  std::string name;
  std::string files;                     ///< what its files are called, in words
  std::vector<std::string> sub_folders;  ///< of the places to look in; "" is the place itself
  bool in_system_dir = false;
  std::string remedy;
  Holding (*look)(const KnownSet& set, const std::filesystem::path& folder);
  /// Everything but name and source.
  Dataset (*read)(const KnownSet& set, const std::filesystem::path& folder);
};

/// In the order in which "auto" tries those that it tries.
std::span<const KnownSet> known_sets();

/// A known set's folder, and a sentence on where that is.
struct Found {
  std::filesystem::path folder;
  std::string source;
};

/// Looks in every place; `looked` receives those without the set. Throws DataError where a folder holds a part of it.
std::optional<Found> locate(const KnownSet& set, const LoadOptions& options, std::vector<std::string>& looked);

/// Reads the four files in `folder`. Without `classes`, there are as many as the training labels tell; names are
/// numbers and the normalisation is measured.
Dataset read_idx(const std::filesystem::path& folder, std::optional<size_t> classes);

}  // namespace vitcl::data
