// The harness itself: it must find each kind of mistake that it is there for. The ops below are computed on the host
// and written through the queue, so that they can be wrong on every device alike.

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "selftest/compare.hpp"
#include "selftest/force_impl.hpp"
#include "selftest/guard.hpp"
#include "selftest/op_check.hpp"
#include "support/devices.hpp"
#include "support/gradients.hpp"
#include "support/reference_check.hpp"

namespace vitcl::test {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

TEST(Compare, NamesTheWorstElement) {
  const std::array<double, 6> want{1, 2, 3, 4, 5, 6}, got{1, 2, 3.5, 4, 9, 6};
  const auto problem = compare("y", {2, 3}, got, want, {.relative = 1e-6});
  ASSERT_TRUE(problem);
  EXPECT_NE(problem->find("2 of 6 wrong; worst at [1, 1]: got 9, want 5"), std::string::npos) << *problem;
}

TEST(Compare, HoldsToTheLimit) {
  const std::array<double, 1> want{2};
  EXPECT_FALSE(compare("y", {1}, std::array{2.2}, want, {.relative = 0.1, .absolute = 0.01}));
  EXPECT_TRUE(compare("y", {1}, std::array{2.22}, want, {.relative = 0.1, .absolute = 0.01}));
  EXPECT_TRUE(compare("y", {1}, std::array{2 + 1e-15}, want, exact()));
  EXPECT_TRUE(compare("y", {2}, std::array{2.0}, want, exact()));  // a shape that does not fit
}

TEST(Compare, NotANumberIsAnErrorUnlessExpected) {
  for (const double bad : {not_a_number, infinity, -infinity}) {
    EXPECT_TRUE(compare("y", {1}, std::array{bad}, std::array{1.0}, {.absolute = 1e30}));
    EXPECT_FALSE(compare("y", {1}, std::array{bad}, std::array{bad}, exact()));
    EXPECT_TRUE(compare("y", {1}, std::array{1.0}, std::array{bad}, {.relative = 1, .absolute = 1e30}));
  }
}

TEST(Gradients, ComplexStepAndDifferences) {
  const auto cube = [](auto x) { return x[0] * x[0] * x[0] * x[1]; };
  const std::array<double, 2> at{2, 3};
  const std::vector<double> gradient = complex_step_gradient(cube, at);
  EXPECT_DOUBLE_EQ(gradient[0], 36);
  EXPECT_DOUBLE_EQ(gradient[1], 8);
  EXPECT_NEAR(difference<double>([](double x) { return x * x * x; }, 2), 12, 1e-11);
}

/// y = 3x; dx = 3 dy. `mistake` says which error it makes.
struct TripleCase final : OpCase {
  enum class Mistake {
    none,
    wrong_value,
    stale_nan,
    writes_input,
    ignores_accumulate,
    always_accumulates,
    swaps_modes,
    reference,
    random
  };
  Mistake mistake;
  explicit TripleCase(Mistake which) : mistake(which) {}

  std::string name() const override { return "5x7"; }
  std::vector<Field> fields(const DeviceCaps&) const override {
    return {{"x", Role::input, {5, 7}},     {"w", Role::input, {5, 7}},     {"y", Role::output, {5, 7}},
            {"dy", Role::upstream, {5, 7}}, {"dx", Role::gradient, {5, 7}}, {"dw", Role::parameter_gradient, {5, 7}}};
  }
  void forward(Queue& queue, const Tensors& t) const override {
    std::vector<float> y = download<float>(queue, t["x"]);
    const std::vector<float> w = download<float>(queue, t["w"]);
    for (size_t i = 0; i < y.size(); ++i) y[i] = 3 * y[i] + w[i];
    if (mistake == Mistake::wrong_value) y[11] += 0.001F;
    if (mistake == Mistake::random) y[3] *= 1 + 1e-7F * static_cast<float>(++calls % 2);
    if (mistake == Mistake::stale_nan) y.resize(34);
    queue.write(t["y"].buffer(), y.data(), y.size() * sizeof(float));
    if (mistake == Mistake::writes_input) queue.zero(t["x"].buffer());
  }
  void backward(Queue& queue, const Tensors& t, GradModes modes) const override {
    if (mistake == Mistake::swaps_modes) std::swap(modes.input, modes.parameter);
    write_gradient(queue, t["dy"], 3, modes.input, t["dx"]);
    write_gradient(queue, t["dy"], 1, modes.parameter, t["dw"]);
  }
  void reference_forward(Values& v) const override {
    for (size_t i = 0; i < 35; ++i) v["y"][i] = 3 * v["x"][i] + v["w"][i];
  }
  void reference_backward(Values& v) const override {
    const double factor = mistake == Mistake::reference ? 3.0001 : 3;
    for (size_t i = 0; i < 35; ++i) v["dx"][i] = factor * v["dy"][i];
    v["dw"] = v["dy"];
  }
  Tolerance tolerance(std::string_view) const override { return rounded(3, 8); }
  bool exact_on_integers() const override { return true; }
  Cost forward_cost() const override { return {}; }

 private:
  void write_gradient(Queue& queue, const Tensor& dy, float factor, ops::GradMode mode, const Tensor& dx) const {
    if (mistake == Mistake::ignores_accumulate) mode = ops::GradMode::overwrite;
    if (mistake == Mistake::always_accumulates) mode = ops::GradMode::accumulate;
    std::vector<float> values = download<float>(queue, dy);
    const std::vector<float> old = download<float>(queue, dx);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = factor * values[i] + (mode == ops::GradMode::accumulate ? old[i] : 0);
    }
    upload<float>(queue, values, dx);
  }
  mutable int calls = 0;
};

using Mistake = TripleCase::Mistake;

class HarnessTest : public DeviceTest {};

TEST_P(HarnessTest, AcceptsARightOp) {
  const TripleCase right(Mistake::none);
  EXPECT_EQ(check_forward(device(), right), Problems{});
  EXPECT_EQ(check_backward(device(), right), Problems{});
  EXPECT_EQ(check_repeatable(device(), right), Problems{});
  EXPECT_EQ(check_integers(device(), right), Problems{});
  EXPECT_EQ(check_reference_gradient(right), Problems{});
}

TEST_P(HarnessTest, FindsAWrongValue) {
  EXPECT_EQ(check_forward(device(), TripleCase(Mistake::wrong_value)).size(), 1U);
  EXPECT_EQ(check_integers(device(), TripleCase(Mistake::wrong_value)).size(), 1U);
}

TEST_P(HarnessTest, FindsAnElementThatNobodyWrote) {
  if (is_oclgrind(device().info())) GTEST_SKIP() << "Oclgrind reports the read itself";
  EXPECT_EQ(check_forward(device(), TripleCase(Mistake::stale_nan)).size(), 1U);
}

TEST_P(HarnessTest, FindsAChangedInput) {
  EXPECT_EQ(check_forward(device(), TripleCase(Mistake::writes_input)).size(), 1U);
}

TEST_P(HarnessTest, FindsConfusedGradientModes) {
  EXPECT_FALSE(check_backward(device(), TripleCase(Mistake::ignores_accumulate)).empty());
  EXPECT_FALSE(check_backward(device(), TripleCase(Mistake::swaps_modes)).empty());
  if (is_oclgrind(device().info())) return;  // contents are undefined there: NaN can't be relied on
  EXPECT_FALSE(check_backward(device(), TripleCase(Mistake::always_accumulates)).empty());
}

TEST_P(HarnessTest, FindsBitsThatDoNotRepeat) {
  EXPECT_EQ(check_repeatable(device(), TripleCase(Mistake::random)).size(), 1U);
}

TEST_P(HarnessTest, FindsAWrongReference) {
  EXPECT_FALSE(check_reference_gradient(TripleCase(Mistake::reference)).empty());
}

TEST_P(HarnessTest, GuardsSeeEachByteAroundATensor) {
  if (is_oclgrind(device().info())) GTEST_SKIP() << "Oclgrind checks accesses itself; there are no guards";
  const GuardedTensor guarded(device(), {3, 3}, DType::u8);
  EXPECT_FALSE(guarded.violation(queue()));
  const uint8_t byte = 1;
  queue().write(guarded.tensor().buffer(), &byte, 1, 8);
  EXPECT_FALSE(guarded.violation(queue())) << "the last byte is inside";
  queue().write(guarded.memory(), &byte, 1, guarded.front_bytes() + 9);
  EXPECT_NE(guarded.violation(queue()).value_or("").find("byte 0 behind"), std::string::npos);

  const GuardedTensor other(device(), {3, 3}, DType::f32);
  queue().write(other.memory(), &byte, 1, other.front_bytes() - 1);
  EXPECT_NE(other.violation(queue()).value_or("").find("byte 1 before"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Devices, HarnessTest, all_devices(), device_name);

TEST(ForceImpl, RestoresWhatWasThere) {
  const ForceImpl outer("gelu:plain");
  {
    const ForceImpl inner("");
    EXPECT_EQ(std::getenv("VITCL_IMPL"), nullptr);
  }
  EXPECT_STREQ(std::getenv("VITCL_IMPL"), "gelu:plain");
}

}  // namespace
}  // namespace vitcl::test
