#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "support/temporary_folder.hpp"

namespace vitcl::test {

/// Records with these label bytes; the planes are filled with the last of them, 100 more and 200 more.
inline std::vector<uint8_t> cifar_records(const std::vector<std::vector<uint8_t>>& labels) {
  std::vector<uint8_t> bytes;
  for (const std::vector<uint8_t>& label : labels) {
    bytes.insert(bytes.end(), label.begin(), label.end());
    for (unsigned plane = 0; plane < 3; ++plane)
      bytes.insert(bytes.end(), 1024, static_cast<uint8_t>(label.back() + 100 * plane));
  }
  return bytes;
}

/// CIFAR-10's six files; the i-th batch, from 1 on, has the labels i and i + 1, the test batch 9 and 0.
inline void write_cifar10(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  for (uint8_t i = 1; i <= 5; ++i)
    write_file(folder / ("data_batch_" + std::to_string(i) + ".bin"),
               cifar_records({{i}, {static_cast<uint8_t>(i + 1)}}));
  write_file(folder / "test_batch.bin", cifar_records({{9}, {0}}));
}

}  // namespace vitcl::test
