#include "selftest/cases/parts_case.hpp"
#include "support/op_test.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {

INSTANTIATE_TEST_SUITE_P(Parts, OpTest, on_every_device(parts_cases()), op_test_name);

TEST(PartBegin, HalvesTheHalves) {
  for (size_t samples = 16; samples < 200; ++samples) {
    for (size_t parts = 2; parts <= 16; parts *= 2) {
      EXPECT_EQ(ops::part_begin(samples, 0, parts), 0U);
      EXPECT_EQ(ops::part_begin(samples, parts / 2, parts), samples / 2);
      EXPECT_EQ(ops::part_begin(samples, parts, parts), samples);
      for (size_t part = 0; part < parts; part += 2) {  // a part's halves
        const size_t begin = ops::part_begin(samples, part / 2, parts / 2);
        const size_t end = ops::part_begin(samples, part / 2 + 1, parts / 2);
        EXPECT_EQ(ops::part_begin(samples, part, parts), begin);
        EXPECT_EQ(ops::part_begin(samples, part + 1, parts), begin + ops::part_begin(end - begin, 1, 2));
      }
    }
  }
}

class PartsTest : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, PartsTest, all_devices(), device_name);

TEST_P(PartsTest, RefusesWhatDoesNotFit) {
  const Tensor rows = Tensor::empty(device(), {3, 8}), target = Tensor::empty(device(), {8});
  const Tensor bytes = Tensor::empty(device(), {8}, DType::u8);
  EXPECT_THROW(ops::sum_parts(queue(), rows, ops::GradMode::overwrite, target), ShapeError);
  EXPECT_THROW(ops::sum_parts(queue(), target.reshaped({2, 4}), ops::GradMode::overwrite, target), ShapeError);
  EXPECT_THROW(ops::copy_range(queue(), rows, 17, target, 0, 8), ShapeError);
  EXPECT_THROW(ops::copy_range(queue(), rows, 0, target, 1, 8), ShapeError);
  EXPECT_THROW(ops::copy_range(queue(), bytes, 0, target, 0, 8), ShapeError);
}

}  // namespace vitcl::test
