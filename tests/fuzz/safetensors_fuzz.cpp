// Whatever the bytes, read_safetensors returns a file that keeps the format's promises, or throws StorageError.
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "vitcl/io/checksums.hpp"
#include "vitcl/io/safetensors.hpp"

namespace {

using vitcl::io::SafeTensors;

/// The file that an input stands for. An even first byte: the rest as it is. An odd one: two bytes with the header's
/// length, the header, the data; the fuzzer need not find the length that fits.
std::vector<uint8_t> file_of(const uint8_t* data, size_t size) {
  constexpr size_t prefix = 3;
  if (size < prefix || data[0] % 2 == 0) return {data + std::min<size_t>(size, 1), data + size};
  const size_t rest = size - prefix;
  const uint64_t header = std::min<size_t>(data[1] * size_t{256} + data[2], rest);
  std::vector<uint8_t> file(sizeof(header) + rest);
  std::memcpy(file.data(), &header, sizeof(header));
  std::memcpy(file.data() + sizeof(header), data + prefix, rest);
  return file;
}

/// A file in memory under a path.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) {}
  std::string path() const { return fmt::format("/proc/self/fd/{}", descriptor_); }
  void hold(const std::vector<uint8_t>& bytes) const {
    if (ftruncate(descriptor_, 0) != 0 ||
        pwrite(descriptor_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
      std::abort();
  }

 private:
  int descriptor_;
};

void require(bool promise) {
  if (!promise) std::abort();
}

void check(const SafeTensors& file, size_t file_bytes) {
  size_t bytes = 0;
  for (const auto& [name, tensor] : file.tensors) {
    require(name != "__metadata__");
    require(tensor.bytes.size() == tensor.shape.elements() * size_of(tensor.type));
    bytes += tensor.bytes.size();
  }
  require(bytes + sizeof(uint64_t) <= file_bytes);
  SafeTensors summed = file;
  add_checksums(summed);
  verify_checksums(summed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const MemoryFile memory;
  const std::vector<uint8_t> bytes = file_of(data, size);
  memory.hold(bytes);
  try {
    const SafeTensors file = vitcl::io::read_safetensors(memory.path());
    check(file, bytes.size());
    verify_checksums(file);
  } catch (const vitcl::StorageError&) {
  }
  return 0;
}
