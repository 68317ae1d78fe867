// Ops whose activations are f16, on the devices that have cl_khr_fp16.
#include "selftest/cases/half_storage.hpp"

#include <cmath>

#include "selftest/cases/add_case.hpp"
#include "selftest/cases/attention_case.hpp"
#include "selftest/cases/convolution_case.hpp"
#include "selftest/cases/dropout_case.hpp"
#include "selftest/cases/gelu_case.hpp"
#include "selftest/cases/layer_norm_case.hpp"
#include "selftest/cases/linear_case.hpp"
#include "selftest/cases/parts_case.hpp"
#include "selftest/cases/patch_embed_case.hpp"
#include "selftest/cases/pool_case.hpp"
#include "selftest/cases/unfold_case.hpp"
#include "selftest/force_impl.hpp"
#include "support/errors.hpp"
#include "support/op_test.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

auto halves(const CaseList& cases, const std::set<std::string, std::less<>>& fields, double gradient_error = 0) {
  return on_every_device(half_storage(cases, fields, gradient_error));
}

// Each head size is a program that takes seconds to compile.
CaseList every_third(const CaseList& cases) {
  CaseList list;
  for (size_t i = 0; i < cases.size(); i += 3) list.push_back(cases[i]);
  return list;
}

// delta = dout . out reads the rounded output: off by half_roundoff times a product of D normal factors, up to 5
// sqrt(D). Scaled by 1 / sqrt(D) it weighs keys or queries below 5 deviations, those of up to 4 rows.
constexpr double attention_error = half_roundoff * 5 * 5 * 4;

// The windows' gradients are rounded before up to 9 of them are summed to a token's; each is a product of up to 521
// normal factors, up to 5 sqrt(521).
const double convolution_error = half_roundoff * 9 * 5 * std::sqrt(521);

INSTANTIATE_TEST_SUITE_P(HalfAdd, OpTest, halves(add_cases(), {"a", "b", "y", "dy", "da", "db"}), op_test_name);
INSTANTIATE_TEST_SUITE_P(HalfAttention, OpTest,
                         halves(every_third(attention_cases()), {"qkv", "out", "dout", "dqkv"}, attention_error),
                         op_test_name);
INSTANTIATE_TEST_SUITE_P(HalfDropout, OpTest, halves(dropout_cases(), {"x", "y", "dy", "dx"}), op_test_name);
INSTANTIATE_TEST_SUITE_P(HalfGelu, OpTest, halves(gelu_cases(), {"x", "y", "dy", "dx"}), op_test_name);
INSTANTIATE_TEST_SUITE_P(HalfLayerNorm, OpTest, halves(layer_norm_cases(), {"x", "y", "dy", "dx"}), op_test_name);
INSTANTIATE_TEST_SUITE_P(HalfLinear, OpTest, halves(linear_cases(), {"x", "y", "dy", "dx"}), op_test_name);
INSTANTIATE_TEST_SUITE_P(HalfLinearToFloat, OpTest, halves(linear_cases(), {"x", "dx"}), op_test_name);
INSTANTIATE_TEST_SUITE_P(HalfParts, OpTest, halves(parts_cases(), {"source", "target"}), op_test_name);
INSTANTIATE_TEST_SUITE_P(HalfPatchEmbed, OpTest,
                         halves(patch_embed_cases(), {"patches", "projected", "tokens", "dtokens", "dprojected"}),
                         op_test_name);
INSTANTIATE_TEST_SUITE_P(HalfPool, OpTest, halves(pool_cases(), {"tokens", "y", "dy", "dtokens"}), op_test_name);
INSTANTIATE_TEST_SUITE_P(HalfConvolution, OpTest,
                         halves(convolution_cases(), {"x", "y", "dy", "dx"}, convolution_error), op_test_name);
INSTANTIATE_TEST_SUITE_P(HalfUnfold, OpTest, halves(unfold_cases(), {"x", "windows", "dwindows", "dx"}), op_test_name);

class HalfStorageTest : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, HalfStorageTest, all_devices(), device_name);

TEST_P(HalfStorageTest, ImplementationsForFloatSayThatTheyRefuse) {
  const ops::AttentionShape attention{1, 4, 1, 4, DType::f16};
  std::vector<Candidate> all = ops::gemm_candidates(device().caps(), DType::f16);
  for (Candidate& each : ops::attention_candidates(device().caps(), attention)) all.push_back(std::move(each));
  for (const Candidate& candidate : all) {
    const bool plain = candidate.name == "local_tile" || candidate.name == "work_group";
    EXPECT_NE(candidate.refusal.has_value(), plain) << candidate.name;
  }
}

TEST_P(HalfStorageTest, TensorsOfOneOpMustAgree) {
  const Tensor x = Tensor::empty(device(), {4}, DType::f16), y = Tensor::empty(device(), {4});
  EXPECT_THROW(ops::gelu_forward(queue(), x, y), ShapeError);
}

}  // namespace
}  // namespace vitcl::test
