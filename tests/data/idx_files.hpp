#pragma once

#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <vector>

#include "support/temporary_folder.hpp"

namespace vitcl::test {

/// An IDX file: the magic number, the sizes and the bytes behind them, whatever they are.
inline std::vector<uint8_t> idx_bytes(uint32_t magic, const std::vector<uint32_t>& sizes,
                                      const std::vector<uint8_t>& body) {
  std::vector<uint8_t> bytes;
  const auto append = [&](uint32_t word) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(word >> shift));
  };
  append(magic);
  for (const uint32_t size : sizes) append(size);
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

inline void write_gzip(const std::filesystem::path& path, const std::vector<uint8_t>& bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}

/// Writes the four files of a data set of 3 x 3 images; image i is filled with i.
inline void write_idx_set(const std::filesystem::path& folder, const std::vector<uint8_t>& train_labels,
                          const std::vector<uint8_t>& test_labels) {
  std::filesystem::create_directories(folder);
  const auto images = [](size_t count) {
    std::vector<uint8_t> pixels;
    for (size_t i = 0; i < count; ++i) pixels.insert(pixels.end(), 9, static_cast<uint8_t>(i));
    return idx_bytes(2051, {static_cast<uint32_t>(count), 3, 3}, pixels);
  };
  const auto labels = [](const std::vector<uint8_t>& values) {
    return idx_bytes(2049, {static_cast<uint32_t>(values.size())}, values);
  };
  write_file(folder / "train-images-idx3-ubyte", images(train_labels.size()));
  write_file(folder / "train-labels-idx1-ubyte", labels(train_labels));
  write_file(folder / "t10k-images-idx3-ubyte", images(test_labels.size()));
  write_file(folder / "t10k-labels-idx1-ubyte", labels(test_labels));
}

}  // namespace vitcl::test
