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

/// PoCL 3.1 lets work-groups that run at once share a kernel's local array where a function that was not inlined is
/// called twice with it: LLVM passes the array by its name, which PoCL then finds outside the kernel.
TEST_P(BatchTest, PartsThatAreSummedAtOnceStayApart) {
  const bool interpreted = device().caps().interpreter;
  const size_t parts = interpreted ? 4 : 64, part = interpreted ? 3 : 3001, repeats = interpreted ? 1 : 200;
  std::vector<float> losses(parts * part), expected_losses(parts);
  std::vector<int32_t> hits(parts * part), expected_hits(parts);
  for (size_t p = 0; p < parts; ++p) {
    std::fill_n(&losses[p * part], part, static_cast<float>(p));
    std::fill_n(&hits[p * part], part, static_cast<int32_t>(p % 2));
    expected_losses[p] = static_cast<float>(p);  // exact, as all sums are below 2^24
    expected_hits[p] = static_cast<int32_t>(p % 2 * part);
  }
  const auto on_device = [&]<class T>(const std::vector<T>& values, DType dtype) {
    const Tensor tensor = Tensor::empty(device(), {values.size()}, dtype);
    upload<T>(queue(), values, tensor);
    return tensor;
  };
  const Tensor loss = on_device(losses, DType::f32), correct = on_device(hits, DType::i32),
               cursor = on_device(std::vector<int32_t>{0}, DType::i32);
  const Tensor means = Tensor::empty(device(), {parts}), counts = Tensor::empty(device(), {parts}, DType::i32);
  device().choices().ask({});
  ops::record_statistics(queue(), loss, correct, cursor, means, counts, parts);
  ImplementationNames many_items = device().choices().names();
  for (auto& [key, implementation] : many_items) implementation = "items";
  device().choices().ask(many_items);
  for (size_t i = 0; i < repeats; ++i) {
    ops::record_statistics(queue(), loss, correct, cursor, means, counts, parts);
    EXPECT_EQ(download<float>(queue(), means), expected_losses);
    EXPECT_EQ(download<int32_t>(queue(), counts), expected_hits);
  }
  device().choices().ask({});
}

}  // namespace vitcl::test
