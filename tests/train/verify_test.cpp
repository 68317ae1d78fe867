#include "vitcl/train/verify.hpp"

#include <cmath>
#include <string_view>

#include "support/devices.hpp"
#include "support/reference_data.hpp"

namespace vitcl::test {
namespace {

class VerifyTest : public DeviceTest {
 protected:
  /// A bundle of the reference data; skips where it is not there.
  io::Bundle bundle(const std::string& name) { return io::read_bundle(reference_dir() / (name + ".safetensors")); }
  void check(const std::string& name) {
    for (const bool fuse : {true, false}) {
      if (!fuse && is_oclgrind(GetParam().info)) break;  // its ops are checked there one by one
      SCOPED_TRACE(fuse ? "fused" : "plain");
      const train::Verification result = train::verify(device(), bundle(name), fuse);
      expect_within(result.logits);
      expect_within(result.loss);
      expect_within(result.adam1);
      expect_within(result.losses);
      for (const train::Deviation& gradient : result.gradients) expect_within(gradient);
      EXPECT_TRUE(result.ok());
    }
  }
  static void expect_within(const train::Deviation& deviation) {
    EXPECT_TRUE(deviation.ok()) << deviation.name << ": " << deviation.error << ", limit " << deviation.limit;
  }
};

/// An interpreter needs a minute for the six passes over this one, five tokens an image, and many for the others.
bool is_quick(const DeviceInfo& info, std::string_view name) { return !is_oclgrind(info) || name == "padded_patch16"; }

#define VITCL_VERIFY(test, name)                                                                           \
  TEST_P(VerifyTest, test) {                                                                               \
    VITCL_SKIP_WITHOUT(reference_dir() / name ".safetensors");                                             \
    if (!is_quick(device().info(), name)) GTEST_SKIP() << "its six passes take minutes in an interpreter"; \
    check(name);                                                                                           \
  }
VITCL_VERIFY(TheArticlesModel, "seed_vit")
VITCL_VERIFY(Masked, "seed_vit_masked")
VITCL_VERIFY(MeanPoolAndLinearHead, "mean_pool_linear_head")
VITCL_VERIFY(PaddedImages, "padded_patch16")
VITCL_VERIFY(Timm, "timm_tiny")
VITCL_VERIFY(HuggingFace, "hf_tiny")
#undef VITCL_VERIFY

TEST_P(VerifyTest, SeesAWrongResult) {
  VITCL_SKIP_WITHOUT(reference_dir() / "mean_pool_linear_head.safetensors");
  if (is_oclgrind(device().info())) GTEST_SKIP() << "six passes take minutes in an interpreter";
  io::Bundle wrong = bundle("mean_pool_linear_head");
  auto& tensor = wrong.parameters.begin()->second;
  tensor.bytes[3] ^= 1;  // an exponent's bit of the first value
  const train::Verification result = train::verify(device(), wrong);
  EXPECT_FALSE(result.ok());
}

TEST(Deviation, ANaNIsNeverWithinALimit) {
  EXPECT_FALSE((train::Deviation{"x", std::nan(""), 1}.ok()));
  EXPECT_FALSE((train::Deviation{"x", 0, std::nan("")}.ok()));
  EXPECT_TRUE((train::Deviation{"x", 1, 1}.ok()));
}

INSTANTIATE_TEST_SUITE_P(Devices, VerifyTest, all_devices(), device_name);

}  // namespace
}  // namespace vitcl::test
