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

/// What both losses check and launch.
struct LossLaunch : RowLaunch {
  static constexpr std::string_view op = "cross_entropy";
  size_t batch;
  int32_t classes, has_gradient;

  LossLaunch(Device& device, const Tensor& logits, const Tensor& labels, const Tensor& loss, const Tensor& correct,
             const Tensor* dlogits)
      : RowLaunch(op, device, checked(logits)),
        batch(logits.shape()[0]),
        classes(to_int(op, "the classes", logits.shape()[1])),
        has_gradient(dlogits != nullptr ? 1 : 0) {
    expect_shape(op, "labels", labels, {batch}, "to fit logits", DType::i32);
    expect_shape(op, "loss", loss, {batch}, "to fit logits");
    expect_shape(op, "correct", correct, {batch}, "to fit logits", DType::i32);
    if (dlogits != nullptr) expect_shape(op, "dlogits", *dlogits, logits.shape(), "like logits");
    const auto elements = static_cast<double>(logits.elements());
    shape.flops = (1 + has_gradient) * exp_flops * elements;
    shape.bytes = 4 * (1 + has_gradient) * elements;
  }
  Kernel kernel(Queue& queue, std::string_view entry) const { return queue.device().kernel(op, entry, spec()); }
  float mean_over(size_t wanted) const { return static_cast<float>(wanted == 0 ? batch : wanted); }

 private:
  static const Shape& checked(const Tensor& logits) {
    expect_rank(op, "logits", logits, 2);
    expect_shape(op, "logits", logits, logits.shape(), "to be compared");
    return logits.shape();
  }
};

}  // namespace

void cross_entropy(Queue& queue, const Tensor& logits, const Tensor& labels, float smoothing, const Tensor& loss,
                   const Tensor& correct, const Tensor* dlogits, size_t mean_over, float loss_scale) {
  const LossLaunch launch(queue.device(), logits, labels, loss, correct, dlogits);
  queue.launch(launch.kernel(queue, "cross_entropy"), launch.shape, logits, labels, smoothing, loss, correct,
               launch.has_gradient, dlogits != nullptr ? *dlogits : loss, launch.classes,
               launch.mean_over(mean_over) / loss_scale);
}

void soft_cross_entropy(Queue& queue, const Tensor& logits, const Tensor& targets, const Tensor& labels,
                        const Tensor& loss, const Tensor& correct, const Tensor* dlogits, size_t mean_over,
                        float loss_scale) {
  const LossLaunch launch(queue.device(), logits, labels, loss, correct, dlogits);
  expect_shape(LossLaunch::op, "targets", targets, logits.shape(), "like logits");
  queue.launch(launch.kernel(queue, "soft_cross_entropy"), launch.shape, logits, targets, labels, loss, correct,
               launch.has_gradient, dlogits != nullptr ? *dlogits : loss, launch.classes,
               launch.mean_over(mean_over) / loss_scale);
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
