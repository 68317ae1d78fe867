#include "selftest/cases/softmax_case.hpp"
#include "support/op_test.hpp"

namespace vitcl::test {

INSTANTIATE_TEST_SUITE_P(Softmax, OpTest, on_every_device(softmax_cases()), op_test_name);

class SoftmaxTest : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, SoftmaxTest, all_devices(), device_name);

TEST_P(SoftmaxTest, SurvivesExtremeLogits) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const Tensor logits = Tensor::empty(device(), {3, 3}), probabilities = Tensor::empty(device(), {3, 3});
  upload<float>(queue(), std::vector<float>{1e30F, 1e30F, -1e30F, -infinity, 0, 0, -1e4F, -1e4F, -1e4F}, logits);
  ops::softmax(queue(), logits, probabilities);
  const auto got = download<float>(queue(), probabilities);
  const float third = 1.0F / 3;
  const std::vector<float> want = {0.5F, 0.5F, 0, 0, 0.5F, 0.5F, third, third, third};
  for (size_t i = 0; i < want.size(); ++i) EXPECT_FLOAT_EQ(got[i], want[i]) << i;
}

}  // namespace vitcl::test
