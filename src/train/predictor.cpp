#include "vitcl/train/predictor.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "vitcl/backend/error.hpp"
#include "vitcl/nn/plan.hpp"
#include "vitcl/ops/cross_entropy.hpp"
#include "vitcl/train/config.hpp"

namespace vitcl::train {
namespace {

constexpr nn::PlanOptions inference{nn::Mode::inference};

models::ViTConfig masked_if(models::ViTConfig model, bool masked) {
  model.masked = masked;
  return model;
}

std::string qkv_of_block(size_t block) { return fmt::format("blocks.{}.qkv", block); }

/// The model, with each block's queries, keys and values kept.
nn::Graph graph_with_attention(const models::ViTConfig& model) {
  nn::Graph graph = models::vit_graph(model);
  for (size_t block = 0; block < model.depth; ++block) graph.keep({graph.find(qkv_of_block(block))});
  return graph;
}

size_t fitting_batch(const nn::Graph& graph, const DeviceCaps& caps, size_t batch) {
  return std::clamp<size_t>(batch, 1, std::max<size_t>(1, nn::largest_batch(graph, caps, inference)));
}

}  // namespace

struct Predictor::State {
  Queue& queue;
  Checkpoint checkpoint;
  std::string mask;
  models::ViTConfig model;
  nn::Graph graph;
  nn::Parameters parameters;
  nn::Plan plan;
  Tensor probabilities;

  State(Device& device, const Checkpoint& source, const std::string& patch_mask, size_t batch)
      : queue(device.queue()),
        checkpoint(source),
        mask(patch_mask.empty() ? source.patch_mask : patch_mask),
        model(masked_if(source.model, !mask.empty())),
        graph(models::vit_graph(model)),
        parameters(device, graph.parameters()),
        plan(graph, parameters, queue, fitting_batch(graph, device.caps(), batch), inference),
        probabilities(Tensor::empty(device, {plan.batch(), model.classes})) {
    if (!mask.empty()) validate_patch_mask(mask, model);
    parameters.load(queue, checkpoint.measured());
  }

  size_t image_bytes() const { return model.channels * model.image_size * model.image_size; }

  size_t count(std::span<const uint8_t> images) const {
    if (images.empty() || images.size() % image_bytes() != 0) {
      throw DataError(fmt::format("got images of {} bytes, the model wants {} x {} x {} each", images.size(),
                                  model.channels, model.image_size, model.image_size));
    }
    return images.size() / image_bytes();
  }

  /// Fills a plan's inputs; what the images leave of its batch is black.
  void fill(nn::Plan& target, std::span<const uint8_t> images) {
    const size_t plane = model.image_size * model.image_size;
    const PixelStatistics& statistics = checkpoint.pixel_statistics;
    std::vector<float> values(target.batch() * image_bytes());
    for (size_t i = 0; i < values.size(); ++i) {
      const size_t channel = i / plane % model.channels;
      const float pixel = i < images.size() ? static_cast<float>(images[i]) / 255 : 0;
      values[i] = (pixel - statistics.mean[channel]) / statistics.deviation[channel];
    }
    upload<float>(queue, values, target.tensor("images"));
    if (!mask.empty()) upload<uint8_t>(queue, visible(target.batch()), target.tensor("mask"));
  }

  /// The mask (images, patches) u8, 1 = visible, with `leading` visible tokens before the patches.
  std::vector<uint8_t> visible(size_t images, size_t leading = 0) const {
    std::vector<uint8_t> bytes;
    for (size_t image = 0; image < images; ++image) {
      bytes.insert(bytes.end(), leading, 1);
      for (const char c : mask) bytes.push_back(c == '1' ? 1 : 0);
    }
    return bytes;
  }
};

Predictor::Predictor(Device& device, const Checkpoint& checkpoint, const std::string& patch_mask, size_t batch)
    : state_(std::make_unique<State>(device, checkpoint, patch_mask, batch)) {}
Predictor::~Predictor() = default;

std::vector<float> Predictor::probabilities(std::span<const uint8_t> images) {
  State& state = *state_;
  const size_t count = state.count(images), batch = state.plan.batch();
  std::vector<float> all;
  for (size_t first = 0; first < count; first += batch) {
    const size_t taken = std::min(batch, count - first);
    state.fill(state.plan, images.subspan(first * state.image_bytes(), taken * state.image_bytes()));
    state.plan.run();
    ops::softmax(state.queue, state.plan.tensor("logits"), state.probabilities);
    const std::vector<float> rows = download<float>(state.queue, state.probabilities);
    all.insert(all.end(), rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(taken * state.model.classes));
  }
  return all;
}

AttentionMaps Predictor::attention(std::span<const uint8_t> image) {
  State& state = *state_;
  const models::ViTConfig& model = state.model;
  if (state.count(image) != 1) throw DataError("attention is shown of one image at a time");
  const size_t leading = model.tokens() - model.patches();
  AttentionMaps maps{model.depth, model.heads, model.tokens(), leading, model.pool == models::Pool::cls, {}};
  nn::Plan plan(graph_with_attention(model), state.parameters, state.queue, 1,
                {.mode = nn::Mode::inference, .fuse = false});
  state.fill(plan, image);
  plan.run();
  const std::vector<uint8_t> mask = state.mask.empty() ? std::vector<uint8_t>() : state.visible(1, leading);
  for (size_t block = 0; block < model.depth; ++block) {
    const std::vector<float> qkv = download<float>(state.queue, plan.tensor(qkv_of_block(block)));
    const std::vector<float> weights = attention_weights(qkv, maps.tokens, maps.heads, model.attention_scale(), mask);
    maps.weights.insert(maps.weights.end(), weights.begin(), weights.end());
  }
  return maps;
}

}  // namespace vitcl::train
