#include "vitcl/ops/encoder_block.hpp"

#include <algorithm>
#include <cmath>

#include "selftest/cases/encoder_block_case.hpp"
#include "selftest/op_run.hpp"
#include "support/errors.hpp"
#include "support/op_test.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

INSTANTIATE_TEST_SUITE_P(EncoderBlock, OpTest, on_every_device(encoder_block_cases()), op_test_name);
INSTANTIATE_TEST_SUITE_P(EncoderBlock, ReferenceTest, each_case(encoder_block_cases()), case_name);

using ops::BlockParameter;
using ops::EncoderBlockShape;
using ops::GradMode;

// What the op takes, in shapes that fit together; a test makes one of them wrong.
struct Arguments {
  EncoderBlockShape shape;
  ops::EncoderBlockOptions options;
  Tensor x, y, saved, workspace, dy, dx;
  ops::BlockTensors parameters, gradients;

  Arguments(Device& device, const EncoderBlockShape& of) : shape(of) {
    const auto empty = [&](Shape wanted) { return Tensor::empty(device, std::move(wanted)); };
    const size_t workspace_bytes = ops::encoder_block_workspace_bytes(device.caps(), of);
    x = empty({of.batch, of.tokens, of.dim}), dx = empty(x.shape());
    y = empty({of.batch, of.queries, of.dim}), dy = empty(y.shape());
    saved = empty({ops::encoder_block_saved_elements(of)});
    workspace = empty({workspace_bytes / sizeof(float) + 1});
    for (size_t p = 0; p < ops::block_parameter_count; ++p) {
      const Shape wanted = ops::block_parameter_shape(of, static_cast<BlockParameter>(p));
      if (wanted.elements() > 0) parameters[p] = empty(wanted), gradients[p] = empty(wanted);
    }
  }
  Tensor& parameter(BlockParameter p) { return parameters[static_cast<size_t>(p)]; }
  Tensor& gradient(BlockParameter p) { return gradients[static_cast<size_t>(p)]; }

  void forward(Queue& queue) const {
    ops::encoder_block_forward(queue, shape, options, x, parameters, y, saved, workspace);
  }
  void backward(Queue& queue) const {
    ops::encoder_block_backward(queue, shape, options, dy, x, parameters, saved, GradMode::overwrite, dx,
                                GradMode::overwrite, gradients, workspace);
  }
};

class EncoderBlockTest : public DeviceTest {
 protected:
  static bool runs(const EncoderBlockCase& op_case) { return !op_case.implementations(GetParam().info).empty(); }
  bool takes(const EncoderBlockCase& op_case) { return !ops::refuse_encoder_block(device().caps(), op_case.shape()); }
  bool takes_blocks() { return takes(EncoderBlockCase(1, 1, 1, 1, 1)); }
  std::vector<float> output(const EncoderBlockCase& op_case) {
    const Expectation values(op_case, device().caps());
    OpRun run(device(), values);
    run.forward();
    return download<float>(queue(), run.tensors()["y"]);
  }
  std::string forward_error(const Arguments& arguments) {
    return error_of<ShapeError>([&] { arguments.forward(queue()); });
  }
  std::string backward_error(const Arguments& arguments) {
    return error_of<ShapeError>([&] { arguments.backward(queue()); });
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, EncoderBlockTest, all_devices(), device_name);

// 449 tokens of 1 are too many for attention's private memory, and other devices than CPUs take no block at all.
TEST_P(EncoderBlockTest, ARefusalSaysWhy) {
  const Arguments arguments(device(), {.batch = 1, .tokens = 449, .queries = 1, .heads = 2, .dim = 2, .mlp_dim = 3});
  const auto reason = ops::refuse_encoder_block(device().caps(), arguments.shape);
  ASSERT_TRUE(reason);
  EXPECT_TRUE(says(error_of<UsageError>([&] { arguments.forward(queue()); }), {"[encoder_block]", *reason}));
  EXPECT_TRUE(says(error_of<UsageError>([&] { arguments.backward(queue()); }), {"[encoder_block]", *reason}));
}

// A device that takes blocks takes those of all cases: none is left out unnoticed.
TEST_P(EncoderBlockTest, NoCaseIsRefusedByItsShape) {
  for (const auto& op_case : encoder_block_cases()) {
    EXPECT_EQ(takes(dynamic_cast<const EncoderBlockCase&>(*op_case)), takes_blocks()) << op_case->name();
  }
}

// Whether a device takes a block does not depend on the batch, so that an image's result does not either.
TEST_P(EncoderBlockTest, TheBatchDecidesNothing) {
  for (const size_t tokens : {56, 57}) {
    const auto refuses = [&](size_t batch) {
      return ops::refuse_encoder_block(device().caps(), {batch, tokens, tokens, 2, 16, 5}).has_value();
    };
    EXPECT_EQ(refuses(1), refuses(1000));
    EXPECT_EQ(refuses(1), tokens == 57 || !takes_blocks());
  }
}

// Whatever comes with it in the batch, an image's bits are the same: 3 images of 101 tokens make two groups.
TEST_P(EncoderBlockTest, AnImageDoesNotDependOnTheOthers) {
  const EncoderBlockCase many(3, 101, 2, 4, 21), one(1, 101, 2, 4, 21);
  if (!runs(many) || is_oclgrind(GetParam().info)) GTEST_SKIP() << "the device has no such block, or no time for it";
  const Expectation values(many, device().caps()), single(one, device().caps());
  OpRun run(device(), values), last(device(), single);
  run.forward();
  const auto x = download<float>(queue(), run.tensors()["x"]), all = download<float>(queue(), run.tensors()["y"]);
  upload<float>(queue(), std::span(x).last(x.size() / 3), last.tensors()["x"]);
  const auto parameters = many.tensors(run.tensors(), "");
  ops::encoder_block_forward(queue(), one.shape(), one.op_options(last.tensors()), last.tensors()["x"], parameters,
                             last.tensors()["y"], last.tensors()["saved"], last.tensors()["workspace"]);
  const auto alone = download<float>(queue(), last.tensors()["y"]);
  EXPECT_TRUE(std::ranges::equal(alone, std::span(all).last(alone.size())));
}

// A forward that leaves nothing for backward has the bits of one that does: 13 images of 17 tokens make two groups.
TEST_P(EncoderBlockTest, WhatIsSavedDoesNotMatterToTheOutput) {
  for (const bool first_row_only : {false, true}) {
    const EncoderBlockCase op_case(13, 17, 3, 4, 21, {.first_row_only = first_row_only});
    if (!runs(op_case) || is_oclgrind(GetParam().info)) GTEST_SKIP() << "the device has no such block, or no time";
    const Expectation values(op_case, device().caps());
    OpRun run(device(), values);
    run.forward();
    const Tensors& t = run.tensors();
    const auto saving = download<float>(queue(), t["y"]);
    queue().zero(t["y"].buffer());
    const size_t bytes = ops::encoder_block_unsaved_workspace_bytes(device().caps(), op_case.shape());
    const Tensor workspace = Tensor::empty(device(), {bytes / sizeof(float) + 1});
    ops::encoder_block_forward(queue(), op_case.shape(), op_case.op_options(t), t["x"], op_case.tensors(t, ""), t["y"],
                               {}, workspace);
    EXPECT_EQ(download<float>(queue(), t["y"]), saving);
  }
}

// The first rows have the bits that they have among all rows.
TEST_P(EncoderBlockTest, TheFirstRowDoesNotDependOnWhoReadsTheOthers) {
  const EncoderBlockCase whole(5, 7, 3, 5, 11), first(5, 7, 3, 5, 11, {.first_row_only = true});
  if (!runs(whole)) GTEST_SKIP() << "the device has no such block";
  const auto all = output(whole), rows = output(first);
  const size_t dim = 15, stride = all.size() / 5;
  ASSERT_EQ(rows.size(), 5 * dim);
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(rows[i], all[i / dim * stride + i % dim]) << i;
}

// A NaN must come out where it went in, so that training can notice it: in all tokens of its image, and no other.
TEST_P(EncoderBlockTest, NanIsNotSwallowed) {
  const EncoderBlockCase op_case(3, 2, 2, 3, 4);
  if (!runs(op_case)) GTEST_SKIP() << "the device has no such block";
  const Expectation values(op_case, device().caps());
  OpRun run(device(), values);
  run.forward();
  const Tensors& t = run.tensors();
  auto x = download<float>(queue(), t["x"]);
  x[x.size() / 3 + 8] = NAN;  // the second image's second token
  upload<float>(queue(), x, t["x"]);
  op_case.forward(queue(), t);
  const auto y = download<float>(queue(), t["y"]);
  for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(y[i]), 3 * i / y.size() == 1) << i;
  op_case.backward(queue(), t, {GradMode::overwrite, GradMode::overwrite});
  for (const float g : download<float>(queue(), t["dqkv_weight"])) EXPECT_TRUE(std::isnan(g));
}

TEST_P(EncoderBlockTest, NamesShapesThatDoNotFit) {
  if (!runs(EncoderBlockCase(2, 5, 2, 3, 7))) GTEST_SKIP() << "the device has no such block";
  const EncoderBlockShape shape{.batch = 2, .tokens = 5, .queries = 5, .heads = 2, .dim = 6, .mlp_dim = 7};
  const Arguments fits(device(), shape);
  const auto wrong = [&](const auto& change) {
    Arguments arguments = fits;
    change(arguments);
    return arguments;
  };
  const auto tensor = [&](Shape of, DType type = DType::f32) { return Tensor::empty(device(), std::move(of), type); };
  const Tensor wide_mask = tensor({2, 6}, DType::u8), float_mask = tensor({2, 4});

  for (const auto& arguments :
       {wrong([](Arguments& a) { a.shape.heads = 4; }), wrong([](Arguments& a) { a.shape.heads = 0; }),
        wrong([](Arguments& a) { a.shape.queries = 2; }), wrong([&](Arguments& a) {
          a.x = tensor({2, 4, 6});
        }),
        wrong([&](Arguments& a) { a.parameter(BlockParameter::norm1_bias) = {}; }), wrong([&](Arguments& a) {
          a.parameter(BlockParameter::up_weight) = tensor({6, 7});
        }),
        wrong([&](Arguments& a) { a.options.mask = &wide_mask; }),
        wrong([&](Arguments& a) { a.options.mask = &float_mask; }),
        wrong([&](Arguments& a) { a.saved = tensor({a.saved.elements() - 1}); }),
        wrong([&](Arguments& a) { a.workspace = tensor({1}); })}) {
    EXPECT_TRUE(says(forward_error(arguments), {"[encoder_block]"}));
    EXPECT_TRUE(says(backward_error(arguments), {"[encoder_block]"}));
  }
  const auto unsaved = wrong([&](Arguments& a) {
    a.saved = {};
    a.workspace = tensor({1});
  });
  EXPECT_TRUE(says(forward_error(unsaved), {"[encoder_block] workspace"}));
  EXPECT_TRUE(says(forward_error(wrong([&](Arguments& a) { a.y = tensor({2, 5, 5}); })), {"[encoder_block] y"}));
  EXPECT_TRUE(says(backward_error(wrong([&](Arguments& a) { a.dy = tensor({2, 5, 5}); })), {"[encoder_block] dy"}));
  EXPECT_TRUE(says(backward_error(wrong([&](Arguments& a) { a.dx = tensor({2, 6, 5}); })), {"[encoder_block] dx"}));
  const auto transposed = wrong([&](Arguments& a) { a.gradient(BlockParameter::down_weight) = tensor({7, 6}); });
  EXPECT_TRUE(says(backward_error(transposed), {"[encoder_block] ddown_weight is (7, 6)", "(6, 7)"}));
  const auto missing = wrong([&](Arguments& a) { a.gradient(BlockParameter::norm1_weight) = {}; });
  EXPECT_TRUE(says(backward_error(missing), {"[encoder_block] dnorm1_weight"}));
}

}  // namespace
}  // namespace vitcl::test
