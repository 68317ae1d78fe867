#include "selftest/cases/patch_embed_case.hpp"
#include "support/op_test.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {

INSTANTIATE_TEST_SUITE_P(PatchEmbed, OpTest, on_every_device(patch_embed_cases()), op_test_name);
INSTANTIATE_TEST_SUITE_P(PatchEmbed, ReferenceTest, each_case(patch_embed_cases()), case_name);

class PatchEmbedTest : public DeviceTest {
 protected:
  Tensor tensor(const Shape& shape) { return Tensor::empty(device(), shape); }
};
INSTANTIATE_TEST_SUITE_P(Devices, PatchEmbedTest, all_devices(), device_name);

// A 3 x 3 image in patches of 2: one more row below and one more column to the right.
TEST_P(PatchEmbedTest, PutsTheExtraPixelRightAndBelow) {
  const Tensor images = tensor({1, 1, 3, 3}), patches = tensor({1, 4, 4});
  upload<float>(queue(), std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9}, images);
  ops::cut_patches(queue(), images, 2, -1, patches);
  const std::vector<float> want = {1, 2, 4, 5, 3, -1, 6, -1, 7, 8, -1, -1, 9, -1, -1, -1};
  EXPECT_EQ(download<float>(queue(), patches), want);
}

TEST_P(PatchEmbedTest, RefusesWhatDoesNotFit) {
  const Tensor images = tensor({2, 1, 6, 6}), oblong = tensor({2, 1, 6, 5}), patches = tensor({2, 4, 9});
  EXPECT_THROW(ops::cut_patches(queue(), oblong, 3, 0, patches), ShapeError);
  EXPECT_THROW(ops::cut_patches(queue(), images, 2, 0, patches), ShapeError);
  EXPECT_THROW(ops::cut_patches(queue(), images, 0, 0, patches), ShapeError);

  const Tensor projected = tensor({2, 4, 5}), tokens = tensor({2, 5, 5}), positions = tensor({5, 5});
  const Tensor no_room = tensor({2, 4, 5}), class_token = tensor({5});
  EXPECT_THROW(ops::embed_tokens_forward(queue(), projected, nullptr, positions, tokens), ShapeError);
  EXPECT_THROW(ops::embed_tokens_forward(queue(), projected, &class_token, positions, no_room), ShapeError);
  EXPECT_THROW(ops::embed_tokens_forward(queue(), projected, &class_token, projected, tokens), ShapeError);
}

}  // namespace vitcl::test
