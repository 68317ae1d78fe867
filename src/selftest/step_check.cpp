#include "selftest/step_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "selftest/reference/adam.hpp"
#include "selftest/reference/vit.hpp"
#include "selftest/tiny_model.hpp"
#include "vitcl/io/bundle.hpp"
#include "vitcl/ops/adam.hpp"
#include "vitcl/train/verify.hpp"

namespace vitcl::selftest {
namespace {

using reference::NamedValues;

std::vector<double> drawn(const std::string& name, size_t count, const Fill& fill) {
  SplitMix random(name);
  std::vector<double> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<double>(static_cast<float>(fill(random, i)));
  return values;
}

template <class T>
std::vector<T> converted(const std::vector<double>& values) {
  std::vector<T> result(values.size());
  std::ranges::transform(values, result.begin(), [](double value) { return static_cast<T>(value); });
  return result;
}

/// What the reference computes for the tiny model: parameters, batch and expected results.
class TinyBundle {
 public:
  TinyBundle() {
    bundle_.config = tiny_model();
    bundle_.config.masked = true;
    bundle_.label_smoothing = 0.1F;
    bundle_.batch = 3;
    const models::ViTConfig& c = bundle_.config;
    for (const nn::ParameterSpec& spec :
         models::vit_training_graph(c, {.label_smoothing = bundle_.label_smoothing}).parameters()) {
      const bool is_norm_weight = spec.name.ends_with("norm.weight");
      parameters_[spec.name] = drawn(spec.name, spec.shape.elements(), normal(0.3, is_norm_weight ? 1 : 0));
    }
    images_ = drawn("images", bundle_.batch * c.channels * c.image_size * c.image_size, normal());
    labels_ = drawn("labels", bundle_.batch, integers(0, static_cast<int64_t>(c.classes) - 1));
    mask_ = drawn("mask", bundle_.batch * c.patches(), integers(0, 1));
    bundle_.images = converted<float>(images_);
    bundle_.labels = converted<int32_t>(labels_);
    bundle_.mask = converted<uint8_t>(mask_);
    bundle_.parameters = exported(parameters_);
    bundle_.logits = converted<float>(model().logits(images_, bundle_.batch, mask_));
    bundle_.gradients = exported(gradients());
    take_steps();
  }
  const io::Bundle& bundle() const { return bundle_; }

 private:
  reference::ViT model() const { return {bundle_.config, parameters_}; }
  double smoothing() const { return static_cast<double>(bundle_.label_smoothing); }
  NamedValues gradients() const { return model().gradients(images_, labels_, mask_, smoothing()); }

  io::HostTensors exported(const NamedValues& values) const {
    nn::NamedTensors tensors;
    for (const auto& [name, tensor] : values) tensors[name] = converted<float>(tensor);
    return io::export_parameters(bundle_.config, bundle_.dialect, tensors);
  }

  /// Five steps of Adam: the losses before each, and the parameters after the first.
  void take_steps() {
    const ops::AdamOptions options;
    const auto beta1 = static_cast<double>(options.beta1), beta2 = static_cast<double>(options.beta2);
    NamedValues m, v;
    for (size_t step = 0; step < bundle_.losses.size(); ++step) {
      bundle_.losses[step] = static_cast<float>(model().loss(images_, labels_, mask_, smoothing()));
      const auto t = static_cast<double>(step + 1);
      const reference::AdamStep sizes{
          static_cast<double>(bundle_.lr),  beta1, beta2, static_cast<double>(options.epsilon), 1 - std::pow(beta1, t),
          std::sqrt(1 - std::pow(beta2, t))};
      for (const auto& [name, gradient] : gradients()) {
        m[name].resize(gradient.size());
        v[name].resize(gradient.size());
        reference::adam<double>(gradient, sizes, parameters_[name], m[name], v[name]);
      }
      if (step == 0) bundle_.adam1 = exported(parameters_);
    }
    bundle_.loss = bundle_.losses[0];
  }

  io::Bundle bundle_;
  NamedValues parameters_;
  std::vector<double> images_, labels_, mask_;
};

}  // namespace

Problems check_training_step(Device& device, bool fuse, double& worst_share) {
  static const TinyBundle tiny;
  const train::Verification result = train::verify(device, tiny.bundle(), fuse);
  std::vector<train::Deviation> all = result.gradients;
  for (train::Deviation& gradient : all) gradient.name = "gradient of " + gradient.name;
  all.insert(all.end(), {result.logits, result.loss, result.losses, result.adam1});
  Problems problems;
  for (const train::Deviation& deviation : all) {
    const double share = deviation.error / deviation.limit;
    worst_share = std::isnan(share) ? share : std::max(worst_share, share);
    if (deviation.ok()) continue;
    problems.push_back(fmt::format("{} step: {}: error {:.3g}, limit {:.3g}", fuse ? "fused" : "plain", deviation.name,
                                   deviation.error, deviation.limit));
  }
  return problems;
}

}  // namespace vitcl::selftest
