#include "vitcl/io/safetensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <vector>

#include "safetensors_header.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/io/atomic_file.hpp"

namespace vitcl::io {
namespace {

constexpr size_t length_bytes = 8;
constexpr size_t alignment = 8;

/// A file of a known size that is read from front to back.
class Source {
 public:
  Source(const std::filesystem::path& path, uint64_t most_bytes) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) throw StorageError("there is no such file");
    if (!std::filesystem::is_regular_file(status)) throw StorageError("it is no regular file");
    remaining_ = std::filesystem::file_size(path, error);
    if (!error && remaining_ > most_bytes)
      throw StorageError(fmt::format("it has {} bytes, more than the {} allowed", remaining_, most_bytes));
    errno = 0;
    stream_.open(path, std::ios::binary);
    if (error || !stream_) throw StorageError(std::generic_category().message(error ? error.value() : errno));
  }

  uint64_t remaining() const { return remaining_; }

  void read(void* bytes, size_t count) {
    stream_.read(static_cast<char*>(bytes), static_cast<std::streamsize>(count));
    if (static_cast<size_t>(stream_.gcount()) != count) throw StorageError("it ended early while it was read");
    remaining_ -= count;
  }

 private:
  std::ifstream stream_;
  uint64_t remaining_ = 0;
};

SafeTensors read(Source& source, const ReadLimits& limits) {
  if (source.remaining() < length_bytes)
    throw StorageError(fmt::format("it has {} bytes; the length of the header alone takes 8", source.remaining()));
  uint64_t length = 0;
  source.read(&length, length_bytes);
  if (length > limits.header_bytes)
    throw StorageError(fmt::format("its first 8 bytes say that the header has {} bytes, more than the {} allowed",
                                   length, limits.header_bytes));
  if (length > source.remaining())
    throw StorageError(
        fmt::format("its header has {} bytes, but only {} follow; the file is truncated", length, source.remaining()));
  std::string json(length, '\0');
  source.read(json.data(), json.size());
  Header header = parse_header(json, source.remaining());

  std::vector<std::pair<const std::string*, HeaderEntry*>> order;
  for (auto& [name, entry] : header.entries) order.emplace_back(&name, &entry);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.second->begin < b.second->begin; });
  SafeTensors contents{{}, std::move(header.metadata)};
  for (const auto& [name, entry] : order) {
    HostTensor tensor{entry->type, std::move(entry->shape), std::vector<uint8_t>(entry->end - entry->begin)};
    source.read(tensor.bytes.data(), tensor.bytes.size());
    contents.tensors.emplace(*name, std::move(tensor));
  }
  return contents;
}

using Order = std::vector<const HostTensors::value_type*>;

Order file_order(const HostTensors& tensors) {
  Order order;
  for (const auto& named : tensors) {
    const auto& [name, tensor] = named;
    if (name == "__metadata__") throw StorageError("the name __metadata__ is taken by the format");
    if (tensor.bytes.size() != tensor.shape.elements() * size_of(tensor.type))
      throw StorageError(fmt::format("tensor {} has {} bytes, but {} {} needs {}", name, tensor.bytes.size(),
                                     to_string(tensor.type), tensor.shape.to_string(),
                                     tensor.shape.elements() * size_of(tensor.type)));
    order.push_back(&named);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](auto* a, auto* b) { return size_of(a->second.type) > size_of(b->second.type); });
  return order;
}

std::string header_json(const SafeTensors& contents, const Order& order) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!contents.metadata.empty()) header["__metadata__"] = contents.metadata;
  uint64_t begin = 0;
  for (const auto* named : order) {
    const auto& [name, tensor] = *named;
    const uint64_t end = begin + tensor.bytes.size();
    header[name] = {{"dtype", to_string(tensor.type)}, {"shape", tensor.shape.sizes()}, {"data_offsets", {begin, end}}};
    begin = end;
  }
  std::string json = header.dump();
  json.resize((json.size() + alignment - 1) / alignment * alignment, ' ');
  return json;
}

}  // namespace

SafeTensors read_safetensors(const std::filesystem::path& path, const ReadLimits& limits) {
  const auto message = [&](const StorageError& error) {
    return fmt::format("can't read {} as safetensors: {}", path.string(), error.what());
  };
  std::optional<Source> source;
  try {
    source.emplace(path, limits.file_bytes);
  } catch (const StorageError& error) {
    throw StorageError(message(error));
  }
  try {
    return read(*source, limits);
  } catch (const StorageError& error) {
    throw DamagedFile(message(error));
  }
}

void write_safetensors(const std::filesystem::path& path, const SafeTensors& contents) {
  Order order;
  std::string json;
  try {
    order = file_order(contents.tensors);
    json = header_json(contents, order);
  } catch (const StorageError& error) {
    throw StorageError(fmt::format("can't save {}: {}", path.string(), error.what()));
  } catch (const nlohmann::json::exception&) {  // dump() refuses what is not UTF-8
    throw StorageError(fmt::format("can't save {}: a name or the metadata is not valid UTF-8", path.string()));
  }
  const uint64_t length = json.size();
  std::array<uint8_t, length_bytes> prefix{};
  std::memcpy(prefix.data(), &length, prefix.size());
  AtomicFile file(path);
  file.write(prefix);
  file.write(json);
  for (const auto* named : order) file.write(named->second.bytes);
  file.commit();
}

}  // namespace vitcl::io
