#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace vitcl::data {

/// A file of a published data set, as mirrors offer it.
struct RemoteFile {
  std::string name;
  bool gzip = false;   ///< what follows is of the content, unpacked, as mirrors may pack it differently
  std::string sha256;  ///< 64 hexadecimal digits
  uint64_t bytes = 0;  ///< exactly
  std::vector<std::string> members = {};  ///< not empty: a tar archive, of which the files of these names are kept
  uint64_t member_bytes = 0;              ///< of each of these, exactly; 0: unknown
};

struct RemoteSet {
  std::string name;
  std::vector<std::string> mirrors;  ///< URLs of folders, tried in turn
  std::vector<RemoteFile> files;
};

/// The sets that can be fetched: mnist, fashion-mnist, cifar10.
const std::vector<RemoteSet>& remote_sets();
/// Throws UsageError naming those that there are.
const RemoteSet& remote_set(const std::string& name);

struct FetchOptions {
  std::filesystem::path folder;           ///< gets a sub-folder of the set's name
  std::vector<std::string> mirrors = {};  ///< instead of the set's; https:// or http://
  long patience = 60;                     ///< seconds for which a mirror may send less than 100 bytes each
  /// Is told how many bytes of a file have come and, where it is known, how many it has (else 0).
  std::function<void(const std::string& file, uint64_t bytes, uint64_t total)> progress = {};
};

/// Downloads what is not there yet and returns the sub-folder. The set's own mirrors are asked by HTTPS alone. What a
/// broken connection left is kept as FILE.*.part, and the next call goes on behind it. No more is read or unpacked than
/// the set's sizes allow, and a file appears under its name only when its SHA-256 is right. Throws DataError with what
/// each mirror answered, UsageError where the library was built without this part, StorageError where a file can't be
/// written.
std::filesystem::path fetch(const RemoteSet& set, const FetchOptions& options);

}  // namespace vitcl::data
