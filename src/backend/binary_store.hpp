#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vitcl {

// Compiled programs on disk, for drivers that keep none themselves.
//
// Folder: programs/ in the cache folder (cache_folder.hpp); created with mode 0700, as a program in it is code that
// runs. File: <XXH3 of the key>.clbin = magic, key length, key, XXH3 of the binary, binary. The key is the whole text
// that decides the binary (source, options, device, driver and platform version); a file whose key or checksum differs
// counts as absent. Writers use a temporary file and rename, so that readers and other processes see whole files only.
// Failures to write are ignored: the cache is a convenience.
class BinaryStore {
 public:
  BinaryStore();
  std::optional<std::vector<unsigned char>> load(const std::string& key) const;
  void save(const std::string& key, const std::vector<unsigned char>& binary) const;

 private:
  std::filesystem::path file_of(const std::string& key) const;
  std::filesystem::path folder_;
};

}  // namespace vitcl
