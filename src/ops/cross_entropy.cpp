#include "vitcl/ops/cross_entropy.hpp"

#include "checks.hpp"
#include "launch.hpp"

namespace vitcl::ops {
namespace {

constexpr double exp_flops = 20;

/// One work-group for each row of logits.
struct RowLaunch {
  size_t group;
  LaunchShape shape;
  RowLaunch(std::string_view op, Device& device, const Shape& logits)
      : group(takes_whole_rows(op, device, logits[0], logits[1]) ? 1 : row_group(device.caps(), logits[1])),
        shape{{logits[0] * group}, {group}} {}
  KernelSpec spec() const { return KernelSpec().define("GROUP", static_cast<int64_t>(group)); }
};

}  // namespace

void cross_entropy(Queue& queue, const Tensor& logits, const Tensor& labels, float smoothing, const Tensor& loss,
                   const Tensor& correct, const Tensor* dlogits, size_t mean_over, float loss_scale) {
  constexpr std::string_view op = "cross_entropy";
  expect_rank(op, "logits", logits, 2);
  const size_t batch = logits.shape()[0], classes = logits.shape()[1];
  expect_shape(op, "logits", logits, logits.shape(), "to be compared");
  expect_shape(op, "labels", labels, {batch}, "to fit logits", DType::i32);
  expect_shape(op, "loss", loss, {batch}, "to fit logits");
  expect_shape(op, "correct", correct, {batch}, "to fit logits", DType::i32);
  if (dlogits != nullptr) expect_shape(op, "dlogits", *dlogits, logits.shape(), "like logits");
  RowLaunch launch(op, queue.device(), logits.shape());
  const int32_t has_gradient = dlogits != nullptr ? 1 : 0;
  const auto elements = static_cast<double>(logits.elements());
  launch.shape.flops = (1 + has_gradient) * exp_flops * elements;
  launch.shape.bytes = 4 * (1 + has_gradient) * elements;
  queue.launch(queue.device().kernel("cross_entropy", "cross_entropy", launch.spec()), launch.shape, logits, labels,
               smoothing, loss, correct, has_gradient, dlogits != nullptr ? *dlogits : loss,
               to_int(op, "the classes", classes), static_cast<float>(mean_over == 0 ? batch : mean_over) / loss_scale);
}

void softmax(Queue& queue, const Tensor& logits, const Tensor& probabilities) {
  constexpr std::string_view op = "softmax";
  expect_rank(op, "logits", logits, 2);
  expect_shape(op, "logits", logits, logits.shape(), "to be compared");
  expect_shape(op, "probabilities", probabilities, logits.shape(), "like logits");
  RowLaunch launch(op, queue.device(), logits.shape());
  const auto elements = static_cast<double>(logits.elements());
  launch.shape.flops = 2 * exp_flops * elements;
  launch.shape.bytes = 8 * elements;
  queue.launch(queue.device().kernel("cross_entropy", "softmax", launch.spec()), launch.shape, logits, probabilities,
               to_int(op, "the classes", logits.shape()[1]));
}

}  // namespace vitcl::ops
