#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vitcl::data {

/// The file's SHA-256 in hexadecimal digits. Throws DataError where it can't be read.
std::string sha256_of(const std::filesystem::path& file);

/// Unpacks a gzip file whose content has exactly `bytes` bytes with this SHA-256 to `target`, which appears whole or
/// not at all. Throws DataError where it is broken, longer, shorter or another.
void unpack_gzip(const std::filesystem::path& packed, uint64_t bytes, const std::string& sha256,
                 const std::filesystem::path& target);

/// Writes the regular files of these names, in whatever folder of the tar archive, to `folder`; at most `most_bytes`
/// each. Nothing else of the archive is touched. Throws DataError where it is broken or lacks one.
void unpack_tar(const std::filesystem::path& archive, const std::vector<std::string>& members, uint64_t most_bytes,
                const std::filesystem::path& folder);

}  // namespace vitcl::data
