#include "vitcl/data/fetch.hpp"

#include <fmt/format.h>

#include "download.hpp"
#include "unpack.hpp"
#include "vitcl/backend/error.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace vitcl::data {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t most_member_bytes = uint64_t{1} << 28;

/// A file that mirrors have packed may be a little longer than its content, but no more.
uint64_t most_download(const RemoteFile& file) {
  constexpr uint64_t headers = 1 << 16;
  return file.gzip ? file.bytes + file.bytes / 1000 + headers : file.bytes;
}

fs::path target_of(const RemoteFile& file, const fs::path& folder) {
  return folder / (file.gzip ? fs::path(file.name).stem() : fs::path(file.name));
}

/// Whether what the file becomes is in the folder.
bool is_there(const RemoteFile& file, const fs::path& folder) {
  const auto whole = [](const fs::path& path) { return fs::is_regular_file(path); };
  if (file.members.empty()) {
    const fs::path target = target_of(file, folder);
    return whole(target) && fs::file_size(target) == file.bytes && sha256_of(target) == file.sha256;
  }
  for (const std::string& member : file.members)
    if (!whole(folder / member) || (file.member_bytes > 0 && fs::file_size(folder / member) != file.member_bytes))
      return false;
  return true;
}

/// Puts the downloaded file in its place, where it is the right one.
void install(const RemoteFile& file, const fs::path& part, const fs::path& folder) {
  if (file.gzip) return unpack_gzip(part, file.bytes, file.sha256, target_of(file, folder));
  if (fs::file_size(part) != file.bytes)
    throw DataError(fmt::format("it has {} bytes, not {}", fs::file_size(part), file.bytes));
  if (const std::string got = sha256_of(part); got != file.sha256)
    throw DataError(fmt::format("its content is another: SHA-256 {}, not {}", got, file.sha256));
  if (file.members.empty()) return fs::rename(part, target_of(file, folder));
  unpack_tar(part, file.members, most_member_bytes, folder);
}

/// Fetches a file from one mirror. A download that went on behind an old part and is wrong is begun anew, once.
void fetch_from(const std::string& mirror, const RemoteFile& file, const fs::path& folder, const FetchOptions& options,
                bool https_only) {
  const std::string url = fmt::format("{}{}{}", mirror, mirror.ends_with('/') ? "" : "/", file.name);
  const uint64_t hash = XXH3_64bits(url.data(), url.size());  // parts of different mirrors don't fit together
  const fs::path part = folder / fmt::format("{}.{:016x}.part", file.name, hash);
  const auto progress = [&](uint64_t bytes, uint64_t total) {
    if (options.progress) options.progress(file.name, bytes, total);
  };
  for (;;) {
    std::error_code error;
    const bool goes_on = fs::exists(part, error) && fs::file_size(part, error) > 0;
    download(url, part, {.bytes = most_download(file), .https_only = https_only, .patience = options.patience},
             progress);
    try {
      install(file, part, folder);
      fs::remove(part, error);
      return;
    } catch (const DataError&) {
      fs::remove(part, error);
      if (!goes_on) throw;
    }
  }
}

void fetch_file(const RemoteSet& set, const RemoteFile& file, const fs::path& folder, const FetchOptions& options) {
  const bool own = options.mirrors.empty();
  std::vector<std::string> failures;
  for (const std::string& mirror : own ? set.mirrors : options.mirrors) {
    try {
      return fetch_from(mirror, file, folder, options, own || mirror.starts_with("https:"));
    } catch (const DataError& error) {
      failures.push_back(fmt::format("{}: {}", mirror, error.what()));
    }
  }
  throw DataError(fmt::format(
      "can't fetch {} of {}. {}. Try again later, name another mirror with --mirror URL, or put the files into {}",
      file.name, set.name, fmt::join(failures, ". "), folder.string()));
}

}  // namespace

fs::path fetch(const RemoteSet& set, const FetchOptions& options) {
  const fs::path folder = options.folder / set.name;
  try {
    fs::create_directories(folder);
    for (const RemoteFile& file : set.files)
      if (!is_there(file, folder)) fetch_file(set, file, folder, options);
  } catch (const fs::filesystem_error& error) {
    throw StorageError(error.what());
  } catch (const DataError&) {
    std::error_code not_empty;
    fs::remove(folder, not_empty);
    throw;
  }
  return folder;
}

}  // namespace vitcl::data
