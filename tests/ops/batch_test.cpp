#include "selftest/cases/batch_case.hpp"
#include "support/op_test.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {

INSTANTIATE_TEST_SUITE_P(Batch, OpTest, on_every_device(batch_cases()), op_test_name);

class BatchTest : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, BatchTest, all_devices(), device_name);

TEST_P(BatchTest, RefusesWhatDoesNotFit) {
  const Tensor pixels = Tensor::empty(device(), {5, 1, 4, 4}, DType::u8),
               floats = Tensor::empty(device(), {5, 1, 4, 4});
  const Tensor all_labels = Tensor::empty(device(), {5}, DType::i32), order = Tensor::empty(device(), {6}, DType::i32);
  const Tensor table = Tensor::empty(device(), {2, 4}), cursor = Tensor::empty(device(), {1}, DType::i32);
  const Tensor one = Tensor::empty(device(), {1}), images = Tensor::empty(device(), {3, 1, 4, 4});
  const Tensor mask = Tensor::empty(device(), {3, 4}, DType::u8);
  const auto load = [&](const Tensor& p, const Tensor& places, const Tensor& c) {
    ops::load_images(queue(), p, places, table, c, one, one, images);
  };
  EXPECT_THROW(load(floats, order, cursor), ShapeError);
  EXPECT_THROW(load(pixels, order, one), ShapeError);
  EXPECT_THROW(load(pixels, one, cursor), ShapeError);
  EXPECT_THROW(ops::load_labels(queue(), all_labels, order, table, cursor, one), ShapeError);
  EXPECT_THROW(ops::random_mask(queue(), 0, 0.5F, one, order, table, cursor, mask), ShapeError);
  EXPECT_THROW(ops::advance(queue(), order), ShapeError);
}

}  // namespace vitcl::test
