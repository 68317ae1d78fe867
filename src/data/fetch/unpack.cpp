#include "unpack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <span>

#include "vitcl/backend/error.hpp"
#include "vitcl/io/atomic_file.hpp"

namespace vitcl::data {
namespace {

namespace fs = std::filesystem;

constexpr size_t piece = size_t{1} << 20;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1)
      throw DataError("libcrypto can't compute SHA-256");
  }
  void add(std::span<const uint8_t> bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string digits() {
    std::vector<uint8_t> digest(EVP_MAX_MD_SIZE);
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    std::string text;
    for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

using Archive = std::unique_ptr<archive, decltype(&archive_read_free)>;

Archive open_tar(const fs::path& path) {
  Archive tar(archive_read_new(), archive_read_free);
  archive_read_support_filter_gzip(tar.get());
  archive_read_support_format_tar(tar.get());
  if (archive_read_open_filename(tar.get(), path.c_str(), piece) != ARCHIVE_OK)
    throw DataError(fmt::format("its archive can't be opened ({})", archive_error_string(tar.get())));
  return tar;
}

/// Writes the entry at hand.
void write_member(archive* tar, const std::string& name, uint64_t most_bytes, const fs::path& folder) {
  io::AtomicFile file(folder / name);
  std::vector<uint8_t> bytes(piece);
  uint64_t written = 0;
  for (;;) {
    const la_ssize_t came = archive_read_data(tar, bytes.data(), bytes.size());
    if (came < 0) throw DataError(fmt::format("its archive is broken at {} ({})", name, archive_error_string(tar)));
    if (came == 0) break;
    written += static_cast<uint64_t>(came);
    if (written > most_bytes)
      throw DataError(fmt::format("{} in its archive has more than {} bytes", name, most_bytes));
    file.write(std::span(bytes).first(static_cast<size_t>(came)));
  }
  file.commit();
}

}  // namespace

std::string sha256_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw DataError(fmt::format("can't read {}", path.string()));
  Sha256 hash;
  std::vector<uint8_t> bytes(piece);
  do {
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    hash.add(std::span(bytes).first(static_cast<size_t>(file.gcount())));
  } while (file);
  return hash.digits();
}

void unpack_gzip(const fs::path& packed, uint64_t bytes, const std::string& sha256, const fs::path& target) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(packed.c_str(), "rb"), gzclose);
  if (!file) throw DataError(fmt::format("can't read {}", packed.string()));
  io::AtomicFile output(target);
  Sha256 hash;
  std::vector<uint8_t> buffer(piece);
  uint64_t have = 0;
  for (int came = 1; came > 0; have += static_cast<uint64_t>(came)) {
    came = gzread(file.get(), buffer.data(), static_cast<unsigned>(buffer.size()));
    if (came < 0) throw DataError("its gzip data is broken or ends early");
    const auto some = std::span(buffer).first(static_cast<size_t>(came));
    if (have + some.size() > bytes) throw DataError(fmt::format("it unpacks to more than {} bytes", bytes));
    hash.add(some);
    output.write(some);
  }
  if (have != bytes) throw DataError(fmt::format("it unpacks to {} bytes, not to {}", have, bytes));
  if (const std::string got = hash.digits(); got != sha256)
    throw DataError(fmt::format("its content is another: SHA-256 {}, not {}", got, sha256));
  output.commit();
}

void unpack_tar(const fs::path& path, const std::vector<std::string>& members, uint64_t most_bytes,
                const fs::path& folder) {
  const Archive tar = open_tar(path);
  std::vector<std::string> missing = members;
  archive_entry* entry = nullptr;
  int status = ARCHIVE_OK;
  while ((status = archive_read_next_header(tar.get(), &entry)) == ARCHIVE_OK) {
    const char* full = archive_entry_pathname(entry);
    const std::string name = full == nullptr ? "" : fs::path(full).filename().string();
    const auto wanted = std::find(missing.begin(), missing.end(), name);
    if (wanted == missing.end() || archive_entry_filetype(entry) != AE_IFREG) continue;
    write_member(tar.get(), name, most_bytes, folder);
    missing.erase(wanted);
  }
  if (status != ARCHIVE_EOF)
    throw DataError(fmt::format("its archive is broken ({})", archive_error_string(tar.get())));
  if (!missing.empty()) throw DataError(fmt::format("its archive lacks {}", fmt::join(missing, ", ")));
}

}  // namespace vitcl::data
