#include "vitcl/train/predictor.hpp"

#include <fmt/format.h>

#include "vitcl/backend/error.hpp"
#include "vitcl/nn/plan.hpp"
#include "vitcl/ops/cross_entropy.hpp"
#include "vitcl/train/config.hpp"

namespace vitcl::train {
namespace {

models::ViTConfig masked_if(models::ViTConfig model, bool masked) {
  model.masked = masked;
  return model;
}

/// One '0' or '1' a patch as the graph's mask input.
std::vector<uint8_t> mask_bytes(const std::string& mask, const models::ViTConfig& model) {
  validate_patch_mask(mask, model);
  std::vector<uint8_t> bytes;
  for (char c : mask) bytes.push_back(c == '1' ? 1 : 0);
  return bytes;
}

}  // namespace

struct Predictor::State {
  Queue& queue;
  Checkpoint checkpoint;
  std::string mask;
  nn::Graph graph;
  nn::Parameters parameters;
  nn::Plan plan;
  Tensor probabilities;

  State(Device& device, const Checkpoint& source, const std::string& patch_mask)
      : queue(device.queue()),
        checkpoint(source),
        mask(patch_mask.empty() ? source.patch_mask : patch_mask),
        graph(models::vit_graph(masked_if(source.model, !mask.empty()))),
        parameters(device, graph.parameters()),
        plan(graph, parameters, queue, 1, {nn::Mode::inference}),
        probabilities(Tensor::empty(device, {1, source.model.classes})) {
    parameters.load(queue, checkpoint.parameters);
  }
};

Predictor::Predictor(Device& device, const Checkpoint& checkpoint, const std::string& patch_mask)
    : state_(std::make_unique<State>(device, checkpoint, patch_mask)) {}
Predictor::~Predictor() = default;

std::vector<float> Predictor::probabilities(const std::vector<uint8_t>& image) {
  State& state = *state_;
  const models::ViTConfig& model = state.checkpoint.model;
  const PixelStatistics& statistics = state.checkpoint.pixel_statistics;
  size_t plane = model.image_size * model.image_size;
  if (image.size() != model.channels * plane) {
    throw DataError(fmt::format("got an image of {} bytes, the model wants {} x {} x {}", image.size(), model.channels,
                                model.image_size, model.image_size));
  }
  std::vector<float> values(image.size());
  for (size_t i = 0; i < image.size(); ++i) {
    values[i] = (static_cast<float>(image[i]) / 255 - statistics.mean[i / plane]) / statistics.deviation[i / plane];
  }
  upload<float>(state.queue, values, state.plan.tensor("images"));
  if (!state.mask.empty()) {
    upload<uint8_t>(state.queue, mask_bytes(state.mask, model), state.plan.tensor("mask"));
  }
  state.plan.run();
  ops::softmax(state.queue, state.plan.tensor("logits"), state.probabilities);
  return download<float>(state.queue, state.probabilities);
}

}  // namespace vitcl::train
