#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace vitcl::data {

/// What a download may do.
struct DownloadLimits {
  uint64_t bytes = 0;      ///< the file is at most so long
  bool https_only = true;  ///< redirects too
  long patience = 0;       ///< seconds for which less than 100 bytes each may come
};

/// Brings `url` to the file `part`, behind what that holds already where the server can do so, else from its beginning.
/// What came stays in `part` also where this throws DataError, with the reason but not the URL; nothing stays where
/// more than the limit came.
void download(const std::string& url, const std::filesystem::path& part, const DownloadLimits& limits,
              const std::function<void(uint64_t bytes, uint64_t total)>& progress);

}  // namespace vitcl::data
