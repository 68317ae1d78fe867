#include "ops/trial.hpp"

#include <cmath>

#include "support/devices.hpp"
#include "support/errors.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/ops/encoder_block.hpp"

namespace vitcl::test {
namespace {

class TrialTest : public DeviceTest {
 protected:
  std::vector<OpShape> shapes() {
    std::vector<OpShape> list = {{"gemm", "nt_5x3x2"},     {"gemm", "nn_5x3x2"},  {"gemm", "tn_5x3x2"},
                                 {"attention", "2x5x2x4"}, {"layer_norm", "7x8"}, {"bias", "7x5"},
                                 {"gelu", "19"},           {"add", "19"}};
    const bool refuses = ops::refuse_encoder_block(device().caps(), {2, 5, 5, 2, 6, 7}).has_value();
    if (!refuses) list.push_back({"encoder_block", "2x5x2x6x7"});
    return list;
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, TrialTest, all_devices(), device_name);

TEST_P(TrialTest, WritesEveryResultAndChoosesItsShape) {
  for (const OpShape& key : shapes()) {
    device().choices().ask({});
    const ops::Trial trial = ops::make_trial(queue(), key);
    trial.run();
    for (const Tensor& result : trial.results) {
      for (const float value : download<float>(queue(), result)) EXPECT_TRUE(std::isfinite(value)) << key.op;
    }
    const auto& taken = device().choices().taken();
    ASSERT_EQ(taken.size(), 1U) << key.op;
    EXPECT_EQ(taken.begin()->first, key);
    EXPECT_GT(taken.begin()->second.flops, 0) << key.op;
  }
  device().choices().ask({});
}

TEST_P(TrialTest, ThePlainImplementationServes) {
  for (const OpShape& key : shapes()) {
    const std::string plain(ops::plain_implementation(key.op));
    device().choices().ask({{key, plain}});
    ops::make_trial(queue(), key).run();
    EXPECT_EQ(device().choices().taken().at(key).implementation, plain) << key.op;
  }
  device().choices().ask({});
}

TEST_P(TrialTest, NamesAShapeThatIsNone) {
  for (const OpShape& key : std::vector<OpShape>{{"gemm", "nt_5x3"},
                                                 {"gemm", "tt_5x3x2"},
                                                 {"gemm", "5x3x2"},
                                                 {"layer_norm", "7"},
                                                 {"layer_norm", "7x"},
                                                 {"layer_norm", "7x0"},
                                                 {"gelu", ""},
                                                 {"gelu", "-1"},
                                                 {"gelu", "99999999999999999999999"}}) {
    EXPECT_TRUE(says(error_of<UsageError>([&] { ops::make_trial(queue(), key); }), {key.op, key.shape})) << key.shape;
  }
  EXPECT_TRUE(says(error_of<UsageError>([&] { ops::make_trial(queue(), {"adam", "5"}); }), {"adam"}));
  EXPECT_EQ(ops::plain_implementation("adam"), "");
}

}  // namespace
}  // namespace vitcl::test
