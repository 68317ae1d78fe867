#include "vitcl/ops/dropout.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "selftest/cases/dropout_case.hpp"
#include "selftest/force_impl.hpp"
#include "support/op_test.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Dropout, OpTest, on_every_device(dropout_cases()), op_test_name);
INSTANTIATE_TEST_SUITE_P(Dropout, ReferenceTest, each_case(dropout_cases()), case_name);

class DropoutTest : public DeviceTest {
 protected:
  /// Ones after dropout, for the samples of these numbers.
  std::vector<float> dropped(const std::vector<int32_t>& numbers, size_t size, const ops::DropoutOptions& options,
                             int32_t epoch = 0) {
    const size_t batch = numbers.size();
    std::vector<int32_t> rows;
    for (const int32_t number : numbers) rows.insert(rows.end(), {1, 0, number, epoch});
    const Tensor x = Tensor::empty(device(), {batch, size}), y = Tensor::empty(device(), {batch, size});
    const Tensor draws = Tensor::empty(device(), {batch, 4}, DType::i32);
    upload<int32_t>(queue(), rows, draws);
    upload<float>(queue(), std::vector<float>(batch * size, 1), x);
    ops::dropout_forward(queue(), x, draws, options, y);
    return download<float>(queue(), y);
  }
  static std::vector<int32_t> count_to(size_t samples) {
    std::vector<int32_t> numbers(samples);
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, DropoutTest, all_devices(), device_name);

// Of n = 6000 elements n p are dropped, within four deviations sqrt(n p (1 - p)); the others grow so that the
// expectation stays.
TEST_P(DropoutTest, DropsTheWantedShareAndKeepsTheExpectation) {
  constexpr double n = 6000;
  for (const float rate : {0.1F, 0.2F, 0.5F}) {
    const std::vector<float> got = dropped(count_to(60), 100, {.rate = rate});
    const auto zeros = std::ranges::count(got, 0.0F), kept = std::ranges::count(got, 1 / (1 - rate));
    const auto p = static_cast<double>(rate);
    const double four_deviations = 4 * std::sqrt(n * p * (1 - p));
    EXPECT_EQ(zeros + kept, 6000) << rate;
    EXPECT_NEAR(static_cast<double>(zeros), n * p, four_deviations) << rate;
    EXPECT_NEAR(std::accumulate(got.begin(), got.end(), 0.0) / n, 1, four_deviations / n / (1 - p)) << rate;
  }
}

// The same over samples, each of which is kept or dropped whole.
TEST_P(DropoutTest, DropsWholeSamples) {
  const std::vector<float> got = dropped(count_to(1000), 3, {.rate = 0.2F, .whole_samples = true});
  for (size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], got[i / 3 * 3]) << i;
  EXPECT_EQ(std::ranges::count(got, 0.0F) + std::ranges::count(got, 1.25F), 3000);
  EXPECT_NEAR(static_cast<double>(std::ranges::count(got, 0.0F)) / 3, 200, 4 * std::sqrt(1000 * 0.2 * 0.8));
}

// Neighbours, samples, epochs and uses are independent: of two sets of 6000, (1 - p)^2 + p^2 agree.
TEST_P(DropoutTest, DrawsAreIndependent) {
  const ops::DropoutOptions options{.rate = 0.5F};
  const std::vector<float> got = dropped(count_to(60), 100, options);
  const auto expect_half_equal = [&](std::span<const float> a, std::span<const float> b, const char* what) {
    double equal = 0;
    for (size_t i = 0; i < b.size(); ++i) equal += a[i] == b[i] ? 1 : 0;
    const auto n = static_cast<double>(b.size());
    EXPECT_NEAR(equal, n / 2, 4 * std::sqrt(n) / 2) << what;
  };
  expect_half_equal(got, std::span(got).subspan(1), "the next element");
  expect_half_equal(got, std::span(got).subspan(16), "the element 16 further");
  expect_half_equal(got, std::span(got).subspan(100), "the next sample");
  expect_half_equal(got, dropped(count_to(60), 100, options, 1), "the next epoch");
  expect_half_equal(got, dropped(count_to(60), 100, {.rate = 0.5F, .use = 1}), "the next use");
}

// Where a sample lies in the batch, and which kernel runs, does not matter.
TEST_P(DropoutTest, ASampleKeepsItsDraws) {
  const ops::DropoutOptions options{.rate = 0.5F};
  const std::vector<float> all = dropped({5, 9, 2}, 77, options);
  for (const std::string& implementation : DropoutCase(1, 77, 0.5F).implementations(device().info())) {
    const ForceImpl forced(implementation);
    const std::vector<float> one = dropped({9}, 77, options);
    EXPECT_EQ(std::memcmp(one.data(), &all[77], 77 * sizeof(float)), 0) << implementation;
  }
}

TEST_P(DropoutTest, RefusesWhatDoesNotFit) {
  const Tensor x = Tensor::empty(device(), {2, 3}), other = Tensor::empty(device(), {2, 4});
  const Tensor draws = Tensor::empty(device(), {2, 4}, DType::i32), few = Tensor::empty(device(), {1, 4}, DType::i32);
  EXPECT_THROW(ops::dropout_forward(queue(), x, draws, {}, other), ShapeError);
  EXPECT_THROW(ops::dropout_forward(queue(), x, few, {}, x), ShapeError);
  EXPECT_THROW(ops::dropout_forward(queue(), x, draws, {.rate = 1}, x), UsageError);
  EXPECT_THROW(ops::dropout_forward(queue(), x, draws, {.rate = -0.1F}, x), UsageError);
}

}  // namespace
}  // namespace vitcl::test
