#include "backend/binary_store.hpp"

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <unistd.h>
#include <xxhash.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "backend/cache_folder.hpp"

namespace vitcl {
namespace {

constexpr std::string_view magic = "vitcl program 1\n";

void put_u64(std::string& out, uint64_t value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

std::optional<uint64_t> take_u64(std::string_view& in) {
  uint64_t value = 0;
  if (in.size() < sizeof value) return std::nullopt;
  std::memcpy(&value, in.data(), sizeof value);
  in.remove_prefix(sizeof value);
  return value;
}

}  // namespace

BinaryStore::BinaryStore() {
  const auto base = cache_folder();
  if (!base.empty()) folder_ = base / "programs";
}

std::filesystem::path BinaryStore::file_of(const std::string& key) const {
  return folder_ / fmt::format("{:016x}.clbin", XXH3_64bits(key.data(), key.size()));
}

std::optional<std::vector<unsigned char>> BinaryStore::load(const std::string& key) const {
  if (folder_.empty()) return std::nullopt;
  std::ifstream stream(file_of(key), std::ios::binary);
  if (!stream) return std::nullopt;
  const std::string content{std::istreambuf_iterator<char>(stream), {}};
  std::string_view rest = content;
  if (!rest.starts_with(magic)) return std::nullopt;
  rest.remove_prefix(magic.size());
  const auto key_size = take_u64(rest);
  if (!key_size || *key_size != key.size() || !rest.starts_with(key)) return std::nullopt;
  rest.remove_prefix(key.size());
  const auto checksum = take_u64(rest);
  if (!checksum || rest.empty() || *checksum != XXH3_64bits(rest.data(), rest.size())) return std::nullopt;
  return std::vector<unsigned char>(rest.begin(), rest.end());
}

void BinaryStore::save(const std::string& key, const std::vector<unsigned char>& binary) const {
  if (folder_.empty() || binary.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  std::filesystem::permissions(folder_, std::filesystem::perms::owner_all, error);
  std::string content(magic);
  put_u64(content, key.size());
  content += key;
  put_u64(content, XXH3_64bits(binary.data(), binary.size()));
  content.append(binary.begin(), binary.end());
  const auto target = file_of(key);
  const auto temporary = target.string() + fmt::format(".{}.tmp", getpid());
  std::ofstream stream(temporary, std::ios::binary);
  stream.write(content.data(), static_cast<std::streamsize>(content.size()));
  stream.close();
  if (stream) std::filesystem::rename(temporary, target, error);
  if (!stream || error) std::filesystem::remove(temporary, error);
}

}  // namespace vitcl
