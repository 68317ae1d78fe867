#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace vitcl::test {

/// Where the reference bundles (*.safetensors, computed in float64 by PyTorch) lie: VITCL_REFERENCE_DIR, else
/// ../shared/reference beside the source tree. May not exist.
inline std::filesystem::path reference_dir() {
  if (const char* dir = std::getenv("VITCL_REFERENCE_DIR")) return dir;
  return std::filesystem::path(VITCL_SOURCE_DIR).parent_path() / "shared" / "reference";
}

/// Where MNIST's IDX files lie: VITCL_DATA_DIR/mnist or VITCL_DATA_DIR, else ../shared/data/mnist. May not exist.
inline std::filesystem::path mnist_dir() {
  if (const char* dir = std::getenv("VITCL_DATA_DIR")) {
    const std::filesystem::path inner = std::filesystem::path(dir) / "mnist";
    return std::filesystem::exists(inner) ? inner : std::filesystem::path(dir);
  }
  return std::filesystem::path(VITCL_SOURCE_DIR).parent_path() / "shared" / "data" / "mnist";
}

}  // namespace vitcl::test

/// Leaves the test as skipped, with the reason, where `path` does not exist.
#define VITCL_SKIP_WITHOUT(path)      \
  if (!std::filesystem::exists(path)) \
  GTEST_SKIP() << (path) << " is not there; set VITCL_REFERENCE_DIR (bundles) or VITCL_DATA_DIR (MNIST)"
