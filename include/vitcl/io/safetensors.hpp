#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "vitcl/backend/error.hpp"
#include "vitcl/io/host_tensor.hpp"

namespace vitcl::io {

/// A file whose contents are not what was written: truncated, altered, or holding what nothing writes.
class DamagedFile : public StorageError {
 public:
  using StorageError::StorageError;
};

/// The contents of a safetensors file (https://github.com/huggingface/safetensors): eight bytes with the length of a
/// JSON header, the header, and the tensors' bytes without holes.
struct SafeTensors {
  HostTensors tensors;
  std::map<std::string, std::string> metadata;
  bool operator==(const SafeTensors&) const = default;
};

/// What a file may ask of this process's memory.
struct ReadLimits {
  uint64_t header_bytes = 100'000'000;
  uint64_t file_bytes = uint64_t{16} << 30;
};

/// Reads and checks a whole file: lengths, names, types, shapes, and that the tensors cover the data without hole or
/// overlap. Whatever is wrong with them throws DamagedFile; a file that can't be read or is larger than allowed throws
/// StorageError. Both name the file and the cause. Takes no more memory than the file has bytes and a few times its
/// header.
SafeTensors read_safetensors(const std::filesystem::path& path, const ReadLimits& limits = {});

/// Writes a file through AtomicFile: `path` holds the old or the new contents at any moment. The header is padded to
/// eight bytes and larger element types come first, so that every tensor is aligned. Equal contents give equal bytes.
/// Throws StorageError.
void write_safetensors(const std::filesystem::path& path, const SafeTensors& contents);

}  // namespace vitcl::io
