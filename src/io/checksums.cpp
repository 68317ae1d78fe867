#include "vitcl/io/checksums.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace vitcl::io {
namespace {

constexpr const char* entry = "checksums";
constexpr const char* metadata_name = "__metadata__";
using Sums = std::map<std::string, std::string>;

/// Hashes fields, each behind its length, so that no two lists of fields look alike.
class Hash {
 public:
  Hash() { XXH3_128bits_reset(&state_); }
  void add(const void* bytes, uint64_t count) {
    XXH3_128bits_update(&state_, &count, sizeof(count));
    XXH3_128bits_update(&state_, bytes, count);
  }
  void add(std::string_view text) { add(text.data(), text.size()); }
  std::string digits() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(&state_);
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
  }

 private:
  XXH3_state_t state_{};
};

std::string sum_of(const HostTensor& tensor) {
  Hash hash;
  hash.add(to_string(tensor.type));
  const std::span<const size_t> sizes = tensor.shape.sizes();
  hash.add(sizes.data(), sizes.size_bytes());
  hash.add(tensor.bytes.data(), tensor.bytes.size());
  return hash.digits();
}

std::string sum_of(const std::map<std::string, std::string>& metadata) {
  Hash hash;
  for (const auto& [key, text] : metadata) {
    if (key == entry) continue;
    hash.add(key);
    hash.add(text);
  }
  return hash.digits();
}

Sums sums_of(const SafeTensors& file) {
  Sums sums{{metadata_name, sum_of(file.metadata)}};
  for (const auto& [name, tensor] : file.tensors) sums[name] = sum_of(tensor);
  return sums;
}

Sums read_sums(const std::string& text) {
  try {
    return nlohmann::json::parse(text).get<Sums>();
  } catch (const nlohmann::json::exception&) {
    throw DamagedFile("its metadata's \"checksums\" are malformed");
  }
}

}  // namespace

void add_checksums(SafeTensors& file) { file.metadata[entry] = nlohmann::json(sums_of(file)).dump(); }

void verify_checksums(const SafeTensors& file) {
  const auto text = file.metadata.find(entry);
  if (text == file.metadata.end()) return;
  Sums wanted = read_sums(text->second);
  for (const auto& [name, sum] : sums_of(file)) {
    const std::string what = name == metadata_name ? "its metadata" : fmt::format("its tensor {}", name);
    const auto found = wanted.find(name);
    if (found == wanted.end()) throw DamagedFile(what + " has no checksum");
    if (found->second != sum) throw DamagedFile(what + " is not what was written: its checksum differs");
    wanted.erase(found);
  }
  if (!wanted.empty()) throw DamagedFile(fmt::format("its tensor {} is gone", wanted.begin()->first));
}

}  // namespace vitcl::io
