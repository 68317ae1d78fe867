#include "vitcl/ops/attention.hpp"

#include <cmath>
#include <complex>
#include <cstring>

#include "selftest/cases/attention_case.hpp"
#include "selftest/force_impl.hpp"
#include "selftest/op_run.hpp"
#include "support/gradients.hpp"
#include "support/op_test.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Attention, OpTest, on_every_device(attention_cases()), op_test_name);
INSTANTIATE_TEST_SUITE_P(Attention, ReferenceTest, each_case(attention_cases()), case_name);

// The gradient of the reference to the last digits of double, with and without a mask, and with a fixed dropout.
TEST(AttentionReference, GradientIsTheComplexStep) {
  const std::vector<double> mask = {1, 0, 1, 0, 0, 1, 1, 1}, draws = {1, 2, 3, 4, 5, 6, 7, 8};
  const std::vector<double> factors = reference::attention_dropout_factors(draws, 2, 5, 0, 0.4F);
  using Span = std::span<const double>;
  for (const auto& [hides, drops] : {std::pair(Span(), Span()), {mask, Span()}, {mask, factors}, {Span(), factors}}) {
    const reference::AttentionSizes sizes{2, 5, 2, 3, 0.7, hides, drops};
    const size_t out_size = sizes.batch * sizes.tokens * sizes.dim();
    SplitMix random("attention");
    std::vector<double> qkv(3 * out_size), dout(out_size), dqkv(3 * out_size);
    for (double& value : qkv) value = random.normal();
    for (double& value : dout) value = random.normal();
    using Complex = std::complex<double>;
    const auto weighted = [&](std::span<const Complex> x) {
      std::vector<Complex> out(out_size), logsumexp(sizes.batch * sizes.heads * sizes.tokens);
      reference::attention_forward<Complex>(x, sizes, out, logsumexp);
      Complex sum = 0;
      for (size_t i = 0; i < out_size; ++i) sum += dout[i] * out[i];
      return sum;
    };
    reference::attention_backward<double>(dout, qkv, sizes, dqkv);
    const std::vector<double> want = complex_step_gradient(weighted, qkv);
    for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(dqkv[i], want[i], 1e-13) << i;
  }
}

class AttentionTest : public DeviceTest {
 protected:
  Tensor tensor(Shape shape, DType dtype = DType::f32) { return Tensor::empty(device(), std::move(shape), dtype); }
  Tensor tensor(const std::vector<float>& values, Shape shape) {
    const Tensor result = tensor(std::move(shape));
    upload<float>(queue(), values, result);
    return result;
  }
  std::vector<std::string> implementations(const AttentionCase& op_case) {
    return op_case.implementations(device().info());
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, AttentionTest, all_devices(), device_name);

// Scores of +-12,500 overflow exp by far; the weights are 1 and 0. The log-sum-exp is off by a rounding of 12,500,
// about 1e-3, and so is a recomputed weight.
TEST_P(AttentionTest, LargeScoresDoNotOverflow) {
  const AttentionCase shape(1, 2, 1, 1);
  const Tensor qkv = tensor({100, 125, 3, -1, -125, 5}, {1, 2, 3});
  const Tensor out = tensor({1, 2, 1}), logsumexp = tensor({1, 1, 2}), dout = tensor({1, 2}, {1, 2, 1});
  const Tensor dqkv = tensor({1, 2, 3}), workspace = tensor({2});
  const ops::AttentionOptions options{.heads = 1, .scale = 1};
  for (const std::string& implementation : implementations(shape)) {
    const ForceImpl forced(implementation);
    ops::attention_forward(queue(), qkv, options, out, logsumexp);
    EXPECT_EQ(download<float>(queue(), out), (std::vector<float>{3, 5})) << implementation;
    const auto lse = download<float>(queue(), logsumexp);
    EXPECT_FLOAT_EQ(lse[0], 12500);
    EXPECT_FLOAT_EQ(lse[1], 125);
    ops::attention_backward(queue(), dout, qkv, out, logsumexp, options, ops::GradMode::overwrite, dqkv, workspace);
    const auto gradient = download<float>(queue(), dqkv);
    const std::vector<float> want = {0, 0, 1, 0, 0, 2};
    for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(gradient[i], want[i], 1e-2) << implementation << " " << i;
  }
}

// A NaN must come out where it went in, so that training can notice it.
TEST_P(AttentionTest, NanIsNotSwallowed) {
  const AttentionCase shape(1, 3, 1, 2);
  std::vector<float> values(18, 0.5F);
  values[6] = NAN;  // the second token's query
  const Tensor qkv = tensor(values, {1, 3, 6}), out = tensor({1, 3, 2}), logsumexp = tensor({1, 1, 3});
  for (const std::string& implementation : implementations(shape)) {
    const ForceImpl forced(implementation);
    ops::attention_forward(queue(), qkv, {.heads = 1, .scale = 1}, out, logsumexp);
    const auto result = download<float>(queue(), out);
    for (size_t i = 0; i < result.size(); ++i) EXPECT_EQ(std::isnan(result[i]), i / 2 == 1) << implementation << i;
  }
}

// Whatever comes with it in the batch, an image's bits are the same.
TEST_P(AttentionTest, AnImageDoesNotDependOnTheOthers) {
  const AttentionCase many(3, 5, 3, 4);
  for (const std::string& implementation : implementations(many)) {
    const ForceImpl forced(implementation);
    const Expectation values(many, device().caps());
    OpRun run(device(), values);
    run.forward();
    const auto all = download<float>(queue(), run.tensors()["out"]);
    const auto qkv = download<float>(queue(), run.tensors()["qkv"]);
    const Tensor last = tensor({1, 5, 36}), out = tensor({1, 5, 12}), logsumexp = tensor({1, 3, 5});
    upload<float>(queue(), std::span(qkv).last(last.elements()), last);
    ops::attention_forward(queue(), last, {.heads = 3, .scale = many.scale}, out, logsumexp);
    const auto one = download<float>(queue(), out);
    EXPECT_EQ(std::memcmp(one.data(), &all[all.size() - one.size()], one.size() * sizeof(float)), 0) << implementation;
  }
}

TEST_P(AttentionTest, AnImagesGradientDoesNotDependOnTheOthers) {
  const AttentionCase many(8, 19, 1, 24, TokenMask::none);
  for (const std::string& implementation : implementations(many)) {
    const ForceImpl forced(implementation);
    const Expectation values(many, device().caps());
    OpRun run(device(), values);
    run.forward();
    run.backward({});
    const auto all = download<float>(queue(), run.tensors()["dqkv"]);
    const auto last_of = [&](const std::string& name, Shape shape) {
      const auto from = download<float>(queue(), run.tensors()[name]);
      return tensor(std::vector<float>(from.end() - static_cast<std::ptrdiff_t>(shape.elements()), from.end()), shape);
    };
    const Tensor dqkv = tensor({1, 19, 72});
    ops::attention_backward(queue(), last_of("dout", {1, 19, 24}), last_of("qkv", {1, 19, 72}),
                            last_of("out", {1, 19, 24}), last_of("logsumexp", {1, 1, 19}),
                            {.heads = 1, .scale = many.scale}, ops::GradMode::overwrite, dqkv, tensor({19}));
    const auto one = download<float>(queue(), dqkv);
    EXPECT_EQ(std::memcmp(one.data(), &all[all.size() - one.size()], one.size() * sizeof(float)), 0) << implementation;
  }
}

TEST_P(AttentionTest, NamesShapesThatDoNotFit) {
  const Tensor qkv = tensor({2, 5, 24}), out = tensor({2, 5, 8}), logsumexp = tensor({2, 2, 5}), dqkv = qkv;
  const auto forward = [&](const ops::AttentionOptions& options, const Tensor& to) {
    ops::attention_forward(queue(), qkv, options, to, logsumexp);
  };
  EXPECT_THROW(forward({.heads = 3}, out), ShapeError);
  EXPECT_THROW(forward({.heads = 0}, out), ShapeError);
  EXPECT_THROW(forward({.heads = 2}, tensor({2, 5, 9})), ShapeError);
  const Tensor wide_mask = tensor({2, 6}, DType::u8), float_mask = tensor({2, 4});
  EXPECT_THROW(forward({.heads = 2, .mask = &wide_mask}, out), ShapeError);
  EXPECT_THROW(forward({.heads = 2, .mask = &float_mask}, out), ShapeError);
  EXPECT_THROW(ops::attention_backward(queue(), out, qkv, out, logsumexp, {.heads = 2}, ops::GradMode::overwrite, dqkv,
                                       tensor({19})),
               ShapeError);
  try {
    forward({.heads = 2}, tensor({2, 4, 8}));
    FAIL() << "an output of 4 tokens went with 5";
  } catch (const ShapeError& error) {
    EXPECT_NE(std::string(error.what()).find("[attention] out is (2, 4, 8)"), std::string::npos) << error.what();
  }
}

TEST_P(AttentionTest, RefusalsSayWhy) {
  const Tensor qkv = tensor({1, 81, 24}), out = tensor({1, 81, 8}), logsumexp = tensor({1, 1, 81});
  for (const auto& candidate : ops::attention_candidates(device().caps(), {1, 81, 1, 8})) {
    if (!candidate.refusal) continue;
    const ForceImpl forced("attention:" + candidate.name);
    try {
      ops::attention_forward(queue(), qkv, {.heads = 1}, out, logsumexp);
      ADD_FAILURE() << candidate.name << " ran although it refuses";
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(*candidate.refusal), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace vitcl::test
