#include "selftest/op_run.hpp"

#include <fmt/format.h>

#include <cstdint>

#include "vitcl/tensor/half.hpp"

namespace vitcl::selftest {
namespace {

bool is_real(DType dtype) { return dtype == DType::f32 || dtype == DType::f16; }

double rounded_to(DType dtype, double value) {
  if (dtype == DType::f16) return from_half(to_half(static_cast<float>(value)));
  return dtype == DType::f32 ? static_cast<double>(static_cast<float>(value)) : value;
}

template <class T>
void upload_as(Queue& queue, const std::vector<double>& values, const Tensor& tensor) {
  std::vector<T> converted(values.size());
  for (size_t i = 0; i < values.size(); ++i) converted[i] = static_cast<T>(values[i]);
  upload<T>(queue, converted, tensor);
}

template <class T>
std::vector<double> download_as(Queue& queue, const Tensor& tensor) {
  const std::vector<T> values = vitcl::download<T>(queue, tensor);
  return {values.begin(), values.end()};
}

}  // namespace

bool is_filled(Role role) { return role == Role::input || role == Role::update || role == Role::upstream; }
bool is_gradient(Role role) { return role == Role::gradient || role == Role::parameter_gradient; }

ops::GradMode mode_of(const Field& field, GradModes modes) {
  return field.role == Role::gradient ? modes.input : modes.parameter;
}

std::vector<double> fill_values(const Field& field, FillStyle style) {
  const bool whole = is_gradient(field.role) || (style == FillStyle::integers && is_real(field.dtype));
  const Fill fill = whole ? integers(-4, 4) : field.fill;
  SplitMix random(field.name + field.shape.to_string());
  std::vector<double> values(field.shape.elements());
  for (size_t i = 0; i < values.size(); ++i) values[i] = rounded_to(field.dtype, fill(random, i));
  return values;
}

Expectation::Expectation(const OpCase& op_case, const DeviceCaps& caps, FillStyle style)
    : case_(op_case), fields_(op_case.fields(caps)) {
  for (const Field& field : fields_) {
    const bool has_values = is_filled(field.role) || is_gradient(field.role);
    initial_.insert(field.name, has_values ? fill_values(field, style) : std::vector<double>(field.shape.elements()));
  }
}

const Values& Expectation::forward() {
  if (!forward_) {
    forward_ = initial_;
    case_.reference_forward(*forward_);
  }
  return *forward_;
}

std::vector<double> Expectation::gradient(const Field& field, ops::GradMode mode) {
  if (!backward_) {
    backward_ = forward();
    for (const Field& each : fields_) {
      if (is_gradient(each.role)) (*backward_)[each.name].assign(each.shape.elements(), 0);
    }
    case_.reference_backward(*backward_);
  }
  std::vector<double> values = (*backward_)[field.name];
  if (mode == ops::GradMode::overwrite) return values;
  const std::vector<double>& before = initial_[field.name];
  for (size_t i = 0; i < values.size(); ++i) values[i] += before[i];
  return values;
}

OpRun::OpRun(Device& device, const Expectation& expectation) : device_(device), expectation_(expectation) {
  for (const Field& field : fields()) {
    const auto [entry, is_new] = guarded_.try_emplace(field.name, device, field.shape, field.dtype);
    if (!is_new) throw std::logic_error(fmt::format("two fields are called \"{}\"", field.name));
    tensors_.insert(field.name, entry->second.tensor());
  }
}

void OpRun::upload_values(const Field& field, const std::vector<double>& values) {
  const Tensor& tensor = tensors_[field.name];
  switch (field.dtype) {
    case DType::f32:
    case DType::f16:
      return upload_as<float>(queue(), values, tensor);
    case DType::i32:
      return upload_as<int32_t>(queue(), values, tensor);
    case DType::u8:
      return upload_as<uint8_t>(queue(), values, tensor);
  }
}

std::vector<double> OpRun::download(const Field& field) const {
  const Tensor& tensor = tensors_[field.name];
  switch (field.dtype) {
    case DType::f32:
    case DType::f16:
      return download_as<float>(device_.queue(), tensor);
    case DType::i32:
      return download_as<int32_t>(device_.queue(), tensor);
    case DType::u8:
      return download_as<uint8_t>(device_.queue(), tensor);
  }
  return {};
}

void OpRun::forward() {
  for (const Field& field : fields()) {
    if (is_filled(field.role)) {
      upload_values(field, expectation_.initial()[field.name]);
    } else {
      guarded_.at(field.name).poison(queue());
    }
  }
  expectation_.op_case().forward(queue(), tensors_);
  queue().finish();
}

void OpRun::backward(GradModes modes) {
  for (const Field& field : fields()) {
    if (field.role == Role::workspace) guarded_.at(field.name).poison(queue());
    if (!is_gradient(field.role)) continue;
    if (mode_of(field, modes) == ops::GradMode::accumulate) {
      upload_values(field, expectation_.initial()[field.name]);
    } else {
      guarded_.at(field.name).poison(queue());
    }
  }
  expectation_.op_case().backward(queue(), tensors_, modes);
  queue().finish();
}

std::vector<std::string> OpRun::damage() const {
  std::vector<std::string> lines;
  for (const Field& field : fields()) {
    if (const auto violation = guarded_.at(field.name).violation(device_.queue())) {
      lines.push_back(fmt::format("{}: {}", field.name, *violation));
    }
    const bool read_only = field.role == Role::input || field.role == Role::upstream;
    if (read_only && download(field) != expectation_.initial()[field.name]) {
      lines.push_back(fmt::format("{}: an input was changed", field.name));
    }
  }
  return lines;
}

}  // namespace vitcl::selftest
