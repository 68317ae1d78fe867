#include "vitcl/train/augmentation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "mixing.hpp"
#include "step_program.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::train {
namespace {

/// Images side by side, all (channels, side, side) in bytes, enlarged by whole factors, a dark line between them.
class Grid {
 public:
  Grid(size_t rows, size_t columns, size_t channels, size_t side)
      : side_(side),
        zoom_(std::max<size_t>(1, least_cell / side)),
        cell_(side * zoom_ + gap),
        image_{columns * cell_ + gap, rows * cell_ + gap, channels, {}} {
    image_.pixels.assign(image_.width * image_.height * channels, line);
  }
  void put(size_t row, size_t column, const uint8_t* planes) {
    for (size_t i = 0; i < side_ * zoom_ * side_ * zoom_; ++i) {
      const size_t x = i % (side_ * zoom_), y = i / (side_ * zoom_);
      const size_t at = (row * cell_ + gap + y) * image_.width + column * cell_ + gap + x;
      for (size_t c = 0; c < image_.channels; ++c) {
        image_.pixels[at * image_.channels + c] = planes[(c * side_ + y / zoom_) * side_ + x / zoom_];
      }
    }
  }
  const io::Image& image() const { return image_; }

 private:
  static constexpr size_t gap = 4, least_cell = 64;
  static constexpr uint8_t line = 96;
  size_t side_, zoom_, cell_;
  io::Image image_;
};

/// Standardised values as bytes again.
std::vector<uint8_t> as_bytes(const std::vector<float>& values, const data::Dataset& dataset) {
  const size_t channels = dataset.train.channels, plane = dataset.train.side * dataset.train.side;
  std::vector<uint8_t> bytes(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t c = i / plane % channels;
    const float value = 255 * (values[i] * dataset.deviation[c] + dataset.mean[c]);
    bytes[i] = static_cast<uint8_t>(std::clamp(std::lround(value), 0L, 255L));
  }
  return bytes;
}

}  // namespace

ops::AugmentOptions usual_augmentation(const std::string& data) {
  if (data == "fashion-mnist") return {.hflip = 0.5F, .crop_padding = 1};
  if (data == "cifar10" || data == "cifar100") return {.hflip = 0.5F, .crop_padding = 4, .reprob = 0.25F};
  return {.degrees = 10, .translate = 0.08F, .scale = 0.1F, .shear = 5};
}

io::Image preview_augmentation(Device& device, const TrainConfig& config, const data::Dataset& dataset, size_t rows,
                               size_t columns) {
  const data::Split& all = dataset.train;
  if (rows == 0 || columns == 0 || rows > all.count) {
    throw UsageError(fmt::format("a preview of {} images in {} epochs: want 1 to {} images and 1 or more epochs", rows,
                                 columns, all.count));
  }
  Queue& queue = device.queue();
  data::Split shown{.count = rows, .channels = all.channels, .side = all.side, .pixels = {}, .labels = {}};
  shown.pixels.resize(shown.bytes());
  shown.labels.resize(rows);
  for (size_t row = 0; row < rows; ++row) {
    all.read(row, std::span(shown.pixels).subspan(row * all.image_bytes(), all.image_bytes()));
  }
  const DeviceSamples samples =
      DeviceSamples::open(queue, shown, {dataset.mean, dataset.deviation}, {.most_bytes = shown.bytes()});
  StepState state(device, rows, 1);
  std::vector<int32_t> order(rows);
  std::iota(order.begin(), order.end(), 0);
  state.write_order(queue, order);
  state.write_table(queue, std::vector<ops::StepEntry>(1));
  state.write_cursor(queue, 0);
  std::optional<Mixing> mixing;
  if (config.mix.any()) mixing.emplace(queue, config, samples, BatchCut(rows, rows), state);
  const Tensor images = Tensor::empty(device, {rows, all.channels, all.side, all.side});
  const InputChanges changes = input_changes(config);
  const ImageScratch scratch(device, changes, state, images.shape());
  Grid grid(rows, 1 + columns, all.channels, all.side);
  for (size_t row = 0; row < rows; ++row) grid.put(row, 0, &shown.pixels[row * all.image_bytes()]);
  for (size_t epoch = 0; epoch < columns; ++epoch) {
    state.write_epoch(queue, epoch);
    if (mixing) mixing->begin_epoch(queue, epoch, order, state);
    load_images(queue, changes, samples, samples.pixels.front(), state, scratch, images);
    const std::vector<uint8_t> bytes = as_bytes(download<float>(queue, images), dataset);
    for (size_t row = 0; row < rows; ++row) grid.put(row, 1 + epoch, &bytes[row * all.image_bytes()]);
  }
  return grid.image();
}

}  // namespace vitcl::train
