#include "selftest/cases/pool_case.hpp"
#include "support/op_test.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {

INSTANTIATE_TEST_SUITE_P(Pool, OpTest, on_every_device(pool_cases()), op_test_name);
INSTANTIATE_TEST_SUITE_P(Pool, ReferenceTest, each_case(pool_cases()), case_name);

class PoolTest : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, PoolTest, all_devices(), device_name);

TEST_P(PoolTest, RefusesWhatDoesNotFit) {
  const Tensor tokens = Tensor::empty(device(), {2, 5, 3}), y = Tensor::empty(device(), {2, 3});
  const Tensor wide = Tensor::empty(device(), {2, 4}), mask = Tensor::empty(device(), {2, 3}, DType::u8);
  EXPECT_THROW(ops::cls_pool_forward(queue(), tokens, wide), ShapeError);
  EXPECT_THROW(ops::mean_pool_forward(queue(), tokens, 6, nullptr, y), ShapeError);
  EXPECT_THROW(ops::mean_pool_forward(queue(), tokens, 1, &mask, y), ShapeError);
  EXPECT_THROW(ops::mean_pool_backward(queue(), wide, 1, nullptr, ops::GradMode::overwrite, tokens), ShapeError);
}

}  // namespace vitcl::test
