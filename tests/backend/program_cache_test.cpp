#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "support/devices.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl {
namespace {

// The disk cache, forced on for every driver.
class ProgramCacheTest : public test::DeviceTest {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("vitcl-cache-test-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_ / "cl");
    setenv("VITCL_CACHE_DIR", folder_.c_str(), 1);
    setenv("VITCL_PROGRAM_CACHE", "on", 1);
    setenv("VITCL_KERNEL_DIR", (folder_ / "cl").c_str(), 1);
  }
  void TearDown() override {
    unsetenv("VITCL_CACHE_DIR");
    unsetenv("VITCL_PROGRAM_CACHE");
    unsetenv("VITCL_KERNEL_DIR");
    std::filesystem::remove_all(folder_);
  }

  // The number that a kernel computes when compiled by a fresh device.
  float run(const std::string& expression) const {
    std::ofstream(folder_ / "cl" / "number.cl")
        << "__kernel void number(__global float* x) { x[0] = " + expression + "; }\n";
    Device own(GetParam().info);
    const Tensor x = Tensor::empty(own, {1});
    own.queue().launch(own.kernel("number", "number"), {.global = {1}, .local = {1}}, x);
    return download<float>(own.queue(), x)[0];
  }

  size_t files() const {
    const auto programs = folder_ / "programs";
    if (!std::filesystem::exists(programs)) return 0;
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(programs), {}));
  }

  std::filesystem::path folder_;
};

TEST_P(ProgramCacheTest, ABinaryIsReusedAndAChangedSourceIsNot) {
  EXPECT_EQ(run("1.5f"), 1.5F);
  const size_t first = files();
  EXPECT_EQ(run("1.5f"), 1.5F);
  EXPECT_EQ(files(), first);
  EXPECT_EQ(run("2.5f"), 2.5F);
  EXPECT_GE(files(), first);
}

TEST_P(ProgramCacheTest, ARottenBinaryIsRebuilt) {
  EXPECT_EQ(run("1.5f"), 1.5F);
  if (files() == 0) GTEST_SKIP() << GetParam().info.name << " hands out no binaries";
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "programs")) {
    std::filesystem::resize_file(entry.path(), std::filesystem::file_size(entry.path()) / 2);
  }
  EXPECT_EQ(run("1.5f"), 1.5F);
}

INSTANTIATE_TEST_SUITE_P(Devices, ProgramCacheTest, test::all_devices(), test::device_name);

}  // namespace
}  // namespace vitcl
