#include "vitcl/ops/linear.hpp"

#include <algorithm>
#include <cstring>

#include "ops/gemm_register_tile.hpp"
#include "selftest/cases/linear_case.hpp"
#include "selftest/fill.hpp"
#include "selftest/force_impl.hpp"
#include "selftest/op_run.hpp"
#include "support/op_test.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Linear, OpTest, on_every_device(linear_cases()), op_test_name);
INSTANTIATE_TEST_SUITE_P(Linear, ReferenceTest, each_case(linear_cases()), case_name);

class LinearTest : public DeviceTest {
 protected:
  Tensor tensor(Shape shape) { return Tensor::empty(device(), std::move(shape)); }
};
INSTANTIATE_TEST_SUITE_P(Devices, LinearTest, all_devices(), device_name);

TEST_P(LinearTest, NamesShapesThatDoNotFit) {
  const Tensor x = tensor({4, 3}), w = tensor({5, 3}), y = tensor({4, 5}), none;
  EXPECT_THROW(ops::linear_forward(queue(), tensor({4, 2}), w, nullptr, y, none), ShapeError);
  EXPECT_THROW(ops::linear_forward(queue(), x, w, nullptr, tensor({3, 5}), none), ShapeError);
  const Tensor bias = tensor({4});
  try {
    ops::linear_forward(queue(), x, w, &bias, y, none);
    FAIL() << "a bias of 4 went with 5 outputs";
  } catch (const ShapeError& error) {
    EXPECT_NE(std::string(error.what()).find("[linear] bias is (4)"), std::string::npos) << error.what();
  }
}

TEST_P(LinearTest, WantsItsWorkspace) {
  const size_t rows = 512, in = 3, out = 2;
  const Tensor dy = tensor({rows, out}), x = tensor({rows, in}), dw = tensor({out, in}), none;
  if (ops::gemm_workspace_bytes(device().caps(), {ops::GemmForm::tn, out, in, rows}) == 0) return;
  EXPECT_THROW(ops::linear_backward_weight(queue(), dy, x, ops::GradMode::overwrite, dw, none), ShapeError);
}

TEST_P(LinearTest, RefusalsSayWhy) {
  const Tensor x = tensor({4, 3}), w = tensor({5, 3}), y = tensor({4, 5}), none;
  for (const Candidate& candidate : ops::gemm_candidates(device().caps())) {
    if (!candidate.refusal) continue;
    const ForceImpl forced("gemm:" + candidate.name);
    try {
      ops::linear_forward(queue(), x, w, nullptr, y, none);
      ADD_FAILURE() << candidate.name << " ran although it refuses the device";
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(*candidate.refusal), std::string::npos) << error.what();
    }
  }
}

TEST_P(LinearTest, ReplaysWithNewValues) {
  constexpr size_t rows = 19, in = 9, out = 18;
  const Tensor x = tensor({rows, in}), w = tensor({out, in}), bias = tensor({out}), y = tensor({rows, out}), none;
  upload<float>(queue(), std::vector<float>(out * in, 2), w);
  upload<float>(queue(), std::vector<float>(out, 1), bias);
  for (const std::string& implementation : LinearCase(rows, in, out).implementations(device().info())) {
    const ForceImpl forced(implementation);
    const CommandList commands = queue().record([&] { ops::linear_forward(queue(), x, w, &bias, y, none); });
    for (const float value : {1.0F, -3.0F}) {
      upload<float>(queue(), std::vector<float>(rows * in, value), x);
      queue().replay(commands);
      const float want = 2 * value * static_cast<float>(in) + 1;
      EXPECT_EQ(download<float>(queue(), y), std::vector<float>(rows * out, want)) << implementation;
    }
  }
}

// A row of y depends on its row of x alone, wherever the batch is cut: the same bits for a batch of 1 and of many.
TEST_P(LinearTest, ARowDoesNotDependOnTheOthers) {
  constexpr size_t rows = 23, in = 37, out = 21;
  SplitMix random("rows");
  const auto fill = [&](const Tensor& target) {
    std::vector<float> values(target.elements());
    for (float& value : values) value = static_cast<float>(random.normal());
    upload<float>(queue(), values, target);
    return values;
  };
  const Tensor x = tensor({rows, in}), w = tensor({out, in}), bias = tensor({out}), y = tensor({rows, out});
  const Tensor last_x = tensor({1, in}), last_y = tensor({1, out}), none;
  const std::vector<float> values = fill(x);
  fill(w);
  fill(bias);
  upload<float>(queue(), std::span(values).last(in), last_x);
  for (const std::string& implementation : LinearCase(rows, in, out).implementations(device().info())) {
    if (implementation == "gemm:clblast") continue;  // may take another kernel for another shape
    const ForceImpl forced(implementation);
    ops::linear_forward(queue(), x, w, &bias, y, none);
    ops::linear_forward(queue(), last_x, w, &bias, last_y, none);
    const auto many = download<float>(queue(), y), one = download<float>(queue(), last_y);
    EXPECT_EQ(std::memcmp(one.data(), &many[(rows - 1) * out], out * sizeof(float)), 0) << implementation;
  }
}

// Sums are cut in chunks whose length only a longer inner size than 256 in y and dx can tell.
TEST_P(LinearTest, TilesGiveTheSameBits) {
  const auto candidates = ops::gemm_candidates(device().caps());
  if (std::ranges::find(candidates, "tile_6x16", &Candidate::name)->refusal) return;
  constexpr size_t rows = 531, in = 256, out = 77;
  if (rows * in * out > work_limit(device().info())) return;
  const LinearCase one_case(rows, in, out);
  const Expectation values(one_case, device().caps());
  std::vector<std::vector<float>> first;
  for (const ops::RegisterTile& tile : ops::register_tiles) {
    const ForceImpl forced("gemm:" + std::string(tile.name));
    OpRun run(device(), values);
    run.forward();
    run.backward({ops::GradMode::overwrite, ops::GradMode::overwrite});
    std::vector<std::vector<float>> results;
    for (const char* name : {"y", "dx", "dw"}) results.push_back(download<float>(queue(), run.tensors()[name]));
    if (first.empty()) first = results;
    EXPECT_EQ(results, first) << tile.name;
  }
}

}  // namespace
}  // namespace vitcl::test
