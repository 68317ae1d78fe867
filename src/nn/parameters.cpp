#include "vitcl/nn/parameters.hpp"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cmath>

#include "vitcl/backend/error.hpp"
#include "vitcl/tensor/random.hpp"

namespace vitcl::nn {
namespace {

// Position p, column c: sin(p / 10000^(2i/dim)) for c = 2i, cos of the same for c = 2i + 1.
std::vector<float> sincos_rows(size_t rows, size_t dim) {
  std::vector<float> values(rows * dim);
  for (size_t p = 0; p < rows; ++p) {
    for (size_t c = 0; c < dim; ++c) {
      const double exponent = static_cast<double>(c - c % 2) / static_cast<double>(dim);
      const double angle = static_cast<double>(p) / std::pow(10000.0, exponent);
      values[p * dim + c] = static_cast<float>(c % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  }
  return values;
}

std::vector<float> draw(const ParameterSpec& spec, uint64_t seed) {
  std::vector<float> values(spec.shape.elements());
  Random random(seed, XXH3_64bits(spec.name.data(), spec.name.size()));
  switch (spec.init) {
    case Init::zeros:
      break;
    case Init::ones:
      values.assign(values.size(), 1.0F);
      break;
    case Init::normal:
      for (float& v : values) v = spec.scale * random.normal();
      break;
    case Init::uniform:
      for (float& v : values) v = random.uniform(-spec.scale, spec.scale);
      break;
    case Init::sincos:
      return sincos_rows(spec.shape.rows(), spec.shape.last());
  }
  return values;
}

}  // namespace

Parameters::Parameters(Device& device, std::vector<ParameterSpec> specs, size_t alignment) : specs_(std::move(specs)) {
  if (alignment == 0) alignment = device.caps().buffer_alignment;
  size_t bytes = 0;
  for (size_t i = 0; i < specs_.size(); ++i) {
    if (!index_.emplace(specs_[i].name, i).second) {
      throw UsageError(fmt::format("[parameters] two are called \"{}\"", specs_[i].name));
    }
    offsets_.push_back(bytes / sizeof(float));
    bytes = align_up(bytes + specs_[i].shape.elements() * sizeof(float), alignment);
  }
  if (bytes == 0) throw UsageError("[parameters] the graph has none");
  values_ = Tensor::empty(device, Shape{bytes / sizeof(float)});
  gradients_ = Tensor::empty(device, Shape{bytes / sizeof(float)});
  device.queue().zero(values_.buffer());
  device.queue().zero(gradients_.buffer());
  for (size_t i = 0; i < specs_.size(); ++i) {
    const size_t offset = offsets_[i] * sizeof(float), size = specs_[i].shape.elements() * sizeof(float);
    value_views_.emplace_back(values_.buffer().slice(offset, size), specs_[i].shape);
    gradient_views_.emplace_back(gradients_.buffer().slice(offset, size), specs_[i].shape);
  }
}

size_t Parameters::trainable_count() const {
  size_t count = 0;
  for (const auto& spec : specs_) count += spec.trainable ? spec.shape.elements() : 0;
  return count;
}

size_t Parameters::index(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) throw UsageError(fmt::format("[parameters] there is none called \"{}\"", name));
  return found->second;
}

const Tensor& Parameters::value(const std::string& name) const { return value_views_[index(name)]; }

const Tensor& Parameters::gradient(const std::string& name) const { return gradient_views_[index(name)]; }

void Parameters::initialize(Queue& queue, uint64_t seed) {
  NamedTensors drawn;
  for (const auto& spec : specs_) drawn[spec.name] = draw(spec, seed);
  load(queue, drawn);
}

void Parameters::load(Queue& queue, const NamedTensors& tensors) { load_into(queue, tensors, values_); }

void Parameters::load_into(Queue& queue, const NamedTensors& tensors, const Tensor& flat) const {
  upload<float>(queue, join(tensors), flat);
}

std::vector<float> Parameters::join(const NamedTensors& tensors) const {
  std::vector<float> staged(values_.elements());
  for (size_t i = 0; i < specs_.size(); ++i) {
    const auto found = tensors.find(specs_[i].name);
    if (found == tensors.end()) throw StorageError(fmt::format("the parameter {} is missing", specs_[i].name));
    if (found->second.size() != specs_[i].shape.elements()) {
      throw StorageError(fmt::format("the parameter {} has {} elements, the model's has the shape {}", specs_[i].name,
                                     found->second.size(), specs_[i].shape.to_string()));
    }
    std::copy(found->second.begin(), found->second.end(), staged.begin() + static_cast<ptrdiff_t>(offsets_[i]));
  }
  for (const auto& [name, values] : tensors) {
    if (!index_.contains(name)) throw StorageError(fmt::format("the model has no parameter {}", name));
  }
  return staged;
}

NamedTensors Parameters::save(Queue& queue, const Tensor& flat) const { return split(download<float>(queue, flat)); }

NamedTensors Parameters::split(const std::vector<float>& values) const {
  NamedTensors tensors;
  for (size_t i = 0; i < specs_.size(); ++i) {
    const auto first = values.begin() + static_cast<ptrdiff_t>(offsets_[i]);
    tensors[specs_[i].name].assign(first, first + static_cast<ptrdiff_t>(specs_[i].shape.elements()));
  }
  return tensors;
}

}  // namespace vitcl::nn
