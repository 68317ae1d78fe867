#include "mixing.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include "class_weights.hpp"
#include "vitcl/tensor/random.hpp"

namespace vitcl::train {
namespace {

/// The random numbers of one batch, in (0, 1).
class BatchNumbers {
 public:
  BatchNumbers(uint64_t seed, size_t epoch, size_t batch)
      : seed_(seed), epoch_(static_cast<uint32_t>(epoch)), batch_(static_cast<uint32_t>(batch)) {}
  double operator[](uint32_t i) const {
    constexpr uint32_t use = 0x4D495845;  // tells these numbers from other uses of the seed: "MIXE"
    const std::array<uint32_t, 2> key = {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32U)};
    return (philox4x32({i / 4, batch_, epoch_, use}, key)[i % 4] + 0.5) * 0x1p-32;
  }

 private:
  uint64_t seed_;
  uint32_t epoch_, batch_;
};

/// A number from Beta(alpha, alpha), made of two uniform ones: for T of Student's distribution with 2 alpha degrees of
/// freedom it is (1 + T / sqrt(2 alpha + T^2)) / 2 (Devroye 1996), and T^2 = 2 alpha (u^(-1 / alpha) - 1) cos^2(2 pi v)
/// (Bailey 1994).
double symmetric_beta(double alpha, double u, double v) {
  const double q = std::pow(u, 1 / alpha), c = std::cos(2 * std::numbers::pi * v), z = (1 - q) * c * c;
  return (1 + std::copysign(std::sqrt(z / (q + z)), c)) / 2;
}

/// The ends of a side that is cut out, of which `centre` is the middle.
std::pair<size_t, size_t> cut_out(size_t centre, size_t length, size_t side) {
  const size_t half = length / 2;
  return {centre - std::min(centre, half), std::min(side, centre + half)};
}

ops::MixEntry cut_mix(double share, double across, double down, size_t side) {
  const auto size = static_cast<double>(side);
  const auto length = static_cast<size_t>(size * std::sqrt(1 - share));
  const auto [left, right] = cut_out(static_cast<size_t>(across * size), length, side);
  const auto [top, bottom] = cut_out(static_cast<size_t>(down * size), length, side);
  const auto area = static_cast<double>((right - left) * (bottom - top));
  return {.share = static_cast<float>(1 - area / (size * size)),
          .left = static_cast<float>(left),
          .top = static_cast<float>(top),
          .right = static_cast<float>(right),
          .bottom = static_cast<float>(bottom)};
}

}  // namespace

ops::MixEntry draw_mix(const MixOptions& options, uint64_t seed, size_t epoch, size_t batch, size_t side) {
  const BatchNumbers numbers(seed, epoch, batch);
  if (!options.any() || numbers[0] >= options.prob) return {};
  const bool cuts = options.mixup == 0 || (options.cutmix > 0 && numbers[1] < options.switch_prob);
  const double share = symmetric_beta(cuts ? options.cutmix : options.mixup, numbers[2], numbers[3]);
  if (cuts) return cut_mix(share, numbers[4], numbers[5], side);
  return {.share = static_cast<float>(share), .blend = static_cast<float>(share)};
}

Mixing::Mixing(Queue& queue, const TrainConfig& config, const DeviceSamples& samples, const BatchCut& cut,
               StepState& state)
    : options_(config.mix),
      seed_(config.seed),
      side_(config.model.image_size),
      cut_(cut),
      labels_(download<int32_t>(queue, samples.labels)),
      weights_(class_weights(config, labels_)) {
  Device& device = queue.device();
  state.mixes = Tensor::empty(device, {state.table.shape()[0], ops::mix_words});
  state.class_weights = Tensor::empty(device, {weights_.size()});
  upload<float>(queue, weights_, state.class_weights);
  state.partners = state.order;
  if (!options_.any()) return;
  state.partners = Tensor::empty(device, state.order.shape(), DType::i32);
  state.partner_places = state.partners;
  if (!samples.stream) return;
  state.partner_places = Tensor::empty(device, state.order.shape(), DType::i32);
  upload<int32_t>(queue, backwards(download<int32_t>(queue, state.places)), state.partner_places);
}

/// Each batch backwards.
std::vector<int32_t> Mixing::backwards(std::span<const int32_t> order) const {
  std::vector<int32_t> turned(order.begin(), order.end());
  for (auto batch = turned.begin(); batch != turned.end();) {
    const auto end = batch + std::min(turned.end() - batch, static_cast<ptrdiff_t>(cut_.full));
    std::reverse(batch, end);
    batch = end;
  }
  return turned;
}

/// The loss divides by the number of images where PyTorch's divides by the sum of their weights.
float Mixing::target_scale(std::span<const int32_t> batch) const {
  double sum = 0;
  for (const int32_t sample : batch) {
    sum += static_cast<double>(weights_[static_cast<size_t>(labels_[static_cast<size_t>(sample)])]);
  }
  return static_cast<float>(static_cast<double>(batch.size()) / sum);
}

void Mixing::begin_epoch(Queue& queue, size_t epoch, std::span<const int32_t> order, const StepState& state) const {
  if (options_.any()) upload<int32_t>(queue, backwards(order), state.partners);
  const size_t rows = state.mixes.shape()[0] / cut_.steps;
  std::vector<ops::MixEntry> entries;
  for (size_t step = 0; step < cut_.steps; ++step) {
    ops::MixEntry entry = draw_mix(options_, seed_, epoch, step, side_);
    entry.target_scale = target_scale(order.subspan(step * cut_.full, step + 1 == cut_.steps ? cut_.last : cut_.full));
    entries.insert(entries.end(), rows, entry);
  }
  queue.write(state.mixes.buffer(), entries.data(), entries.size() * sizeof(ops::MixEntry));
}

}  // namespace vitcl::train
