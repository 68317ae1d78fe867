#include "optimizer.hpp"

#include <cmath>

#include "parameter_rules.hpp"

namespace vitcl::train {
namespace {

Tensor zeros_like(Queue& queue, const Tensor& tensor) {
  Tensor zeros = Tensor::empty(queue.device(), tensor.shape());
  queue.zero(zeros.buffer());
  return zeros;
}

ops::AdamOptions adam_options(const TrainConfig& config) {
  return {.beta1 = config.opt_betas[0], .beta2 = config.opt_betas[1], .epsilon = config.opt_eps};
}

}  // namespace

FlatState flat_state(const Checkpoint& checkpoint, const nn::Parameters& parameters, bool with_average) {
  return {.values = parameters.join(checkpoint.parameters),
          .exp_avg = parameters.join(checkpoint.exp_avg),
          .exp_avg_sq = parameters.join(checkpoint.exp_avg_sq),
          .average = with_average ? parameters.join(checkpoint.average) : std::vector<float>()};
}

void fill(Checkpoint& checkpoint, const FlatState& state, const nn::Parameters& parameters) {
  checkpoint.parameters = parameters.split(state.values);
  checkpoint.exp_avg = parameters.split(state.exp_avg);
  checkpoint.exp_avg_sq = parameters.split(state.exp_avg_sq);
  if (!state.average.empty()) checkpoint.average = parameters.split(state.average);
}

ops::StepEntry step_entry(const ops::AdamOptions& options, double lr, size_t t, size_t first_sample) {
  auto power = static_cast<double>(t);
  return {.first_sample = static_cast<int32_t>(first_sample),
          .learning_rate = static_cast<float>(lr),
          .bias_correction1 = static_cast<float>(1 - std::pow(options.beta1, power)),
          .bias_correction2_sqrt = static_cast<float>(std::sqrt(1 - std::pow(options.beta2, power)))};
}

Optimizer::Optimizer(Queue& queue, const TrainConfig& config, nn::Parameters& parameters, size_t alignment)
    : parameters_(parameters),
      opt_(config.opt),
      adam_(adam_options(config)),
      sgd_{.momentum = config.momentum, .nesterov = config.opt == Opt::sgd},
      max_norm_(config.clip_grad),
      average_decay_(config.model_ema_decay),
      exp_avg_(zeros_like(queue, parameters.values())),
      exp_avg_sq_(zeros_like(queue, parameters.values())) {
  Device& device = queue.device();
  if (config.model_ema) average_.emplace(device, parameters.specs(), alignment);
  const bool is_adam = opt_ == Opt::adam || opt_ == Opt::adamw;
  const bool is_plain = is_adam && max_norm_ == 0 && config.weight_decay == 0 && config.layer_decay == 1;
  if (is_plain && config.freeze.empty()) return;
  const std::vector<float> factors = update_factors(config, parameters);
  factors_ = Tensor::empty(device, {factors.size() / 2, 2});
  upload<float>(queue, factors, factors_);
  gradient_scale_ = Tensor::empty(device, {1});
  upload<float>(queue, std::vector<float>{1}, gradient_scale_);
  clip_workspace_ = Tensor::empty(device, {ops::clip_workspace(parameters.values().elements())});
}

bool Optimizer::is_plain_adam() const { return !factors_; }

void Optimizer::update(Queue& queue, const Tensor& gradients, const Tensor& table, const Tensor& cursor) const {
  const ops::Update update{.gradients = gradients,
                           .gradient_scale = gradient_scale_,
                           .factors = factors_,
                           .table = table,
                           .cursor = cursor,
                           .parameters = parameters_.values()};
  if (max_norm_ > 0) ops::clip_scale(queue, update, max_norm_, clip_workspace_);
  if (is_plain_adam()) {
    ops::adam(queue, gradients, adam_, table, cursor, parameters_.values(), exp_avg_, exp_avg_sq_);
  } else if (opt_ == Opt::adam || opt_ == Opt::adamw) {
    const auto decay = opt_ == Opt::adamw ? ops::WeightDecay::decoupled : ops::WeightDecay::l2;
    ops::adam_with_decay(queue, update, adam_, decay, exp_avg_, exp_avg_sq_);
  } else {
    ops::sgd(queue, update, sgd_, exp_avg_);
  }
  if (average_) ops::moving_average(queue, parameters_.values(), average_decay_, average_->values());
}

ops::StepEntry Optimizer::entry(double lr, size_t t, size_t first_sample) const {
  return step_entry(adam_, lr, t, first_sample);
}

void Optimizer::begin_average(Queue& queue) {
  if (average_) upload<float>(queue, download<float>(queue, parameters_.values()), average_->values());
}

void Optimizer::load(Queue& queue, const FlatState& state) {
  upload<float>(queue, state.values, parameters_.values());
  upload<float>(queue, state.exp_avg, exp_avg_);
  upload<float>(queue, state.exp_avg_sq, exp_avg_sq_);
  if (average_) upload<float>(queue, state.average, average_->values());
}

FlatState Optimizer::save(Queue& queue) const {
  return {.values = download<float>(queue, parameters_.values()),
          .exp_avg = download<float>(queue, exp_avg_),
          .exp_avg_sq = download<float>(queue, exp_avg_sq_),
          .average = average_ ? download<float>(queue, average_->values()) : std::vector<float>()};
}

}  // namespace vitcl::train
