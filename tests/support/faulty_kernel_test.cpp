// Kernels with mistakes must be found: by the guards on real devices, by Oclgrind's checks in Oclgrind. The latter make
// Oclgrind report, so they are disabled here and run by entries of their own, which expect the report (CMakeLists.txt).

#include <cstdlib>

#include "selftest/guard.hpp"
#include "support/devices.hpp"

namespace vitcl::test {
namespace {

class FaultyKernelTest : public DeviceTest {
 protected:
  void SetUp() override { ::setenv("VITCL_KERNEL_DIR", VITCL_SOURCE_DIR "/tests/support/kernels", 1); }
  void TearDown() override { ::unsetenv("VITCL_KERNEL_DIR"); }

  std::string after_writing_at(int32_t index) {
    const GuardedTensor y(device(), {3, 5}, DType::f32);
    queue().launch(device().kernel("faulty", "write_at"), {.global = {1}, .local = {1}}, y.tensor(), index);
    return y.violation(queue()).value_or("inside");
  }
};

TEST_P(FaultyKernelTest, GuardsFindAWriteOutside) {
  EXPECT_EQ(after_writing_at(0), "inside");
  EXPECT_EQ(after_writing_at(14), "inside");
  if (is_oclgrind(device().info())) return;  // it reports what follows by itself, see below
  EXPECT_EQ(after_writing_at(15), "byte 0 behind the tensor was overwritten");
  EXPECT_EQ(after_writing_at(-1), "byte 4 before the tensor was overwritten");
}

TEST_P(FaultyKernelTest, DISABLED_InvalidWrite) { after_writing_at(15); }

TEST_P(FaultyKernelTest, DISABLED_Race) {
  const GuardedTensor y(device(), {1}, DType::f32);
  queue().launch(device().kernel("faulty", "race"), {.global = {4}, .local = {1}}, y.tensor());
  queue().finish();
}

TEST_P(FaultyKernelTest, DISABLED_UninitialisedRead) {
  const GuardedTensor x(device(), {1}, DType::f32), y(device(), {1}, DType::f32);
  queue().launch(device().kernel("faulty", "branch_on"), {.global = {1}, .local = {1}}, x.tensor(), y.tensor());
  queue().finish();
}

INSTANTIATE_TEST_SUITE_P(Devices, FaultyKernelTest, all_devices(), device_name);

}  // namespace
}  // namespace vitcl::test
