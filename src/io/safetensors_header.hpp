#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "vitcl/io/host_tensor.hpp"

namespace vitcl::io {

/// Where a safetensors header says that a tensor lies, in bytes behind the header.
struct HeaderEntry {
  StoredType type = StoredType::f32;
  Shape shape;
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct Header {
  std::map<std::string, HeaderEntry> entries;
  std::map<std::string, std::string> metadata;
};

/// Parses a header's JSON and checks it against the number of data bytes behind it. Throws StorageError with a cause
/// that does not name the file.
Header parse_header(const std::string& json, uint64_t data_bytes);

}  // namespace vitcl::io
