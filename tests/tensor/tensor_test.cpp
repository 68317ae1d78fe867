#include "vitcl/tensor/tensor.hpp"

#include <gtest/gtest.h>

#include "support/devices.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl {
namespace {

TEST(Shape, CountsElementsAndRows) {
  const Shape shape{100, 17, 64};
  EXPECT_EQ(shape.elements(), 108800U);
  EXPECT_EQ(shape.rows(), 1700U);
  EXPECT_EQ(shape.last(), 64U);
  EXPECT_EQ(shape.to_string(), "(100, 17, 64)");
  EXPECT_EQ(Shape{}.elements(), 1U);
}

using TensorTest = test::DeviceTest;

TEST_P(TensorTest, RoundTripsEachType) {
  const std::vector<int32_t> numbers = {-1, 0, 7};
  const Tensor ints = Tensor::empty(device(), {3}, DType::i32);
  upload<int32_t>(queue(), numbers, ints);
  EXPECT_EQ(download<int32_t>(queue(), ints), numbers);
  const std::vector<uint8_t> bytes = {0, 255, 3, 4, 5};
  const Tensor small = Tensor::empty(device(), {5}, DType::u8);
  upload<uint8_t>(queue(), bytes, small);
  EXPECT_EQ(download<uint8_t>(queue(), small), bytes);
}

TEST_P(TensorTest, RefusesWrongCountsTypesAndShapes) {
  const Tensor tensor = Tensor::empty(device(), {2, 3});
  const std::vector<float> five(5);
  EXPECT_THROW(upload<float>(queue(), five, tensor), ShapeError);
  EXPECT_THROW(download<int32_t>(queue(), tensor), ShapeError);
  EXPECT_THROW(tensor.reshaped({7}), ShapeError);
  EXPECT_THROW(Tensor(tensor.buffer(), {7}), ShapeError);
  EXPECT_EQ(tensor.reshaped({6}).shape(), Shape{6});
}

INSTANTIATE_TEST_SUITE_P(Devices, TensorTest, test::all_devices(), test::device_name);

}  // namespace
}  // namespace vitcl
