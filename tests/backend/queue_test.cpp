#include "vitcl/backend/queue.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "support/devices.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl {
namespace {

// Kernels of these tests' own, read from a folder that VITCL_KERNEL_DIR names while the test runs.
class QueueTest : public test::DeviceTest {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("vitcl-queue-test-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_ / "common");
    add_file("common/twice.h", "\ninline float twice(float x) { return 2.0f * x; }\n");
    add_file("queue_test.cl",
             "#include \"common/twice.h\"\n"
             "#include \"common/twice.h\"\n"
             "__kernel void scale_up(__global float* x, float factor) {\n"
             "  x[get_global_id(0)] = twice(x[get_global_id(0)]) * factor + OFFSET;\n"
             "}\n");
    add_file("broken.cl", "#include \"common/twice.h\"\n\n__kernel void broken() { no_such_thing(); }\n");
    for (const char* used_by_profiling : {"fma_peak.cl", "common/types.h"}) {
      std::filesystem::copy_file(std::filesystem::path(VITCL_SOURCE_DIR "/cl") / used_by_profiling,
                                 folder_ / used_by_profiling, std::filesystem::copy_options::overwrite_existing);
    }
    setenv("VITCL_KERNEL_DIR", folder_.c_str(), 1);
  }

  void TearDown() override {
    unsetenv("VITCL_KERNEL_DIR");
    std::filesystem::remove_all(folder_);
  }

  void add_file(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }

  Kernel scale_up(int offset) {
    return device().kernel("queue_test", "scale_up", KernelSpec{}.define("OFFSET", offset));
  }

  Tensor ramp(size_t count) {
    std::vector<float> values(count);
    std::iota(values.begin(), values.end(), 0.0F);
    Tensor tensor = Tensor::empty(device(), {count});
    upload<float>(queue(), values, tensor);
    return tensor;
  }

  std::filesystem::path folder_;
};

TEST_P(QueueTest, AMarkTellsAnotherQueueWhenToRead) {
  const Tensor x = ramp(1000);
  queue().launch(scale_up(1), {.global = {1000}, .local = {1}}, x, 3.0F);
  const Mark mark = queue().mark();
  Queue transfers(device());
  mark.wait();
  EXPECT_EQ(download<float>(transfers, x)[2], 13.0F);
  Mark().wait();
}

TEST_P(QueueTest, LaunchesAtOnceAndByReplay) {
  const Tensor x = ramp(7);
  const auto launch = [&] { queue().launch(scale_up(1), {.global = {7}, .local = {1}}, x, 3.0F); };
  launch();
  EXPECT_EQ(download<float>(queue(), x)[2], 13.0F);
  const CommandList commands = queue().record(launch);
  EXPECT_EQ(download<float>(queue(), x)[2], 13.0F) << "recording runs nothing";
  queue().replay(commands);
  queue().replay(commands);
  EXPECT_EQ(download<float>(queue(), x)[2], (13.0F * 6 + 1) * 6 + 1);
}

TEST_P(QueueTest, RecordedArgumentsAreIndependentOfLaterLaunches) {
  const Tensor x = ramp(3), y = ramp(3);
  const CommandList commands =
      queue().record([&] { queue().launch(scale_up(0), {.global = {3}, .local = {1}}, x, 1.0F); });
  queue().launch(scale_up(0), {.global = {3}, .local = {1}}, y, 10.0F);
  queue().replay(commands);
  EXPECT_EQ(download<float>(queue(), x)[1], 2.0F);
  EXPECT_EQ(download<float>(queue(), y)[1], 20.0F);
}

TEST_P(QueueTest, SpecsMakeDifferentKernels) {
  const Tensor x = ramp(2);
  queue().launch(scale_up(5), {.global = {2}, .local = {1}}, x, 1.0F);
  queue().launch(scale_up(7), {.global = {2}, .local = {1}}, x, 1.0F);
  EXPECT_EQ(download<float>(queue(), x)[0], 17.0F);
}

TEST_P(QueueTest, ZeroesASliceAlone) {
  const size_t step = device().caps().buffer_alignment / sizeof(float);
  const Tensor x = ramp(3 * step);
  queue().zero(x.buffer().slice(step * sizeof(float), step * sizeof(float)));
  const auto values = download<float>(queue(), x);
  EXPECT_EQ(values[step - 1], static_cast<float>(step - 1));
  EXPECT_EQ(values[step], 0.0F);
  EXPECT_EQ(values[2 * step - 1], 0.0F);
  EXPECT_EQ(values[2 * step], static_cast<float>(2 * step));
  EXPECT_THROW(x.buffer().slice(0, x.buffer().bytes() + 4), DeviceError);
}

TEST_P(QueueTest, BuildErrorsNameFileLineAndDevice) {
  try {
    device().kernel("broken", "broken");
    FAIL() << "the kernel calls a function that does not exist";
  } catch (const BuildError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find(device().info().name), std::string::npos) << text;
    EXPECT_NE(text.find("cl/broken.cl"), std::string::npos) << text;
    EXPECT_NE(text.find("no_such_thing"), std::string::npos) << text;
    // Oclgrind numbers lines of the text that it was given.
    if (!test::is_oclgrind(device().info())) {
      EXPECT_NE(text.find("cl/broken.cl:3"), std::string::npos) << text;
    }
  }
}

TEST_P(QueueTest, UnknownFilesAndKernelsAreNamed) {
  EXPECT_THROW(device().kernel("no_such_file", "k"), DeviceError);
  EXPECT_THROW(device().kernel("queue_test", "no_such_kernel", KernelSpec{}.define("OFFSET", 0)), ClError);
}

TEST_P(QueueTest, RefusesSizesThatDoNotFit) {
  const Tensor x = ramp(8);
  EXPECT_THROW(queue().launch(scale_up(0), {.global = {7}, .local = {2}}, x, 1.0F), DeviceError);
  const size_t too_many = device().caps().max_work_group * 2;
  EXPECT_THROW(queue().launch(scale_up(0), {.global = {too_many}, .local = {too_many}}, x, 1.0F), DeviceError);
}

TEST_P(QueueTest, AllocationBeyondTheLimitSaysSo) {
  EXPECT_THROW(device().allocate(device().caps().max_allocation + 1), DeviceError);
}

TEST_P(QueueTest, LedgerFollowsAllocations) {
  const size_t before = device().allocated_bytes();
  {
    const Buffer buffer = device().allocate(4096);
    const Buffer slice = buffer.slice(0, 64);
    EXPECT_EQ(device().allocated_bytes(), before + 4096);
  }
  EXPECT_EQ(device().allocated_bytes(), before);
  EXPECT_GE(device().peak_bytes(), before + 4096);
}

TEST_P(QueueTest, NothingIsAliveAfterADeviceIsClosed) {
  const size_t before = live_opencl_objects();
  {
    Device own(GetParam().info, {.profile = true});
    const Tensor x = Tensor::empty(own, {4});
    own.queue().zero(x.buffer());
    const Kernel kernel = own.kernel("queue_test", "scale_up", KernelSpec{}.define("OFFSET", 0));
    const CommandList commands =
        own.queue().record([&] { own.queue().launch(kernel, {.global = {4}, .local = {1}, .flops = 8}, x, 1.0F); });
    own.queue().replay(commands);
    own.queue().replay(commands);
    const auto profile = own.queue().profile();
    ASSERT_EQ(profile.size(), 1U);
    EXPECT_EQ(profile[0].name, "scale_up");
    EXPECT_EQ(profile[0].calls, 2U);
    EXPECT_EQ(profile[0].flops, 16.0);
    EXPECT_GT(live_opencl_objects(), before);
  }
  EXPECT_EQ(live_opencl_objects(), before);
}

TEST_P(QueueTest, TracesTheFirstLaunchesOneByOne) {
  Device own(GetParam().info, {.trace = 3});
  const Tensor x = Tensor::empty(own, {4});
  own.queue().zero(x.buffer());
  for (int offset : {1, 2}) {
    const Kernel kernel = own.kernel("queue_test", "scale_up", KernelSpec{}.define("OFFSET", offset));
    for (const double flops : {8.0, 16.0}) {
      own.queue().launch(kernel, {.global = {4}, .local = {1}, .flops = flops * offset, .bytes = 32}, x, 1.0F);
    }
    EXPECT_EQ(download<float>(own.queue(), x).size(), 4U);  // reads times in between
  }
  const std::vector<KernelEvent> trace = own.queue().trace();
  ASSERT_EQ(trace.size(), 3U);
  EXPECT_EQ(trace[0].flops, 8.0);
  EXPECT_EQ(trace[1].flops, 16.0);
  EXPECT_EQ(trace[2].flops, 16.0);
  for (size_t i = 0; i < trace.size(); ++i) {
    EXPECT_EQ(trace[i].name, "scale_up");
    EXPECT_LE(trace[i].start, trace[i].end);
    if (i > 0 && !own.caps().profiling_clock_broken) {
      EXPECT_LE(trace[i - 1].end, trace[i].start);
    }
  }
  EXPECT_EQ(own.queue().profile().at(0).calls, 4U);
}

INSTANTIATE_TEST_SUITE_P(Devices, QueueTest, test::all_devices(), test::device_name);

}  // namespace
}  // namespace vitcl
