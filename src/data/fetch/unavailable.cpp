// Stands in for fetch.cpp where the libraries that it needs are missing.
#include "vitcl/backend/error.hpp"
#include "vitcl/data/fetch.hpp"

namespace vitcl::data {

std::filesystem::path fetch(const RemoteSet& set, const FetchOptions&) {
  throw UsageError("can't fetch " + set.name +
                   ": vitcl was built without libcurl, libarchive or OpenSSL (Debian packages libcurl4-openssl-dev, "
                   "libarchive-dev and libssl-dev); build it with them, or put the files where --data-dir points");
}

}  // namespace vitcl::data
