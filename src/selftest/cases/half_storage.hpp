#pragma once

#include <set>
#include <utility>

#include "selftest/cases/op_case.hpp"

namespace vitcl::selftest {

/// A rounding to half errs by at most this relatively, and by 2^-25 where the result is subnormal.
inline constexpr double half_roundoff = 0x1p-11;

/// A case with some of its fields in f16, on devices that have it. The reference reads the same rounded inputs and
/// computes in double, so that beyond the case's own error the device errs by one rounding of what it writes.
class HalfStorageCase final : public OpCase {
 public:
  /// `gradient_error`: how far gradients move because backward reads an output that was rounded.
  HalfStorageCase(std::shared_ptr<const OpCase> plain, std::set<std::string, std::less<>> halves, double gradient_error)
      : plain_(std::move(plain)), halves_(std::move(halves)), gradient_error_(gradient_error) {}

  std::string name() const override { return plain_->name(); }
  std::vector<Field> fields(const DeviceCaps& caps) const override {
    std::vector<Field> fields = plain_->fields(caps);
    for (Field& field : fields) {
      if (halves_.contains(field.name)) field.dtype = DType::f16;
    }
    return fields;
  }
  void forward(Queue& queue, const Tensors& tensors) const override { plain_->forward(queue, tensors); }
  void backward(Queue& queue, const Tensors& tensors, GradModes modes) const override {
    plain_->backward(queue, tensors, modes);
  }
  void reference_forward(Values& values) const override { plain_->reference_forward(values); }
  void reference_backward(Values& values) const override { plain_->reference_backward(values); }

  Tolerance tolerance(std::string_view name) const override {
    Tolerance limit = plain_->tolerance(name);
    if (halves_.contains(name)) {
      limit.relative += half_roundoff;
      limit.absolute += 0x1p-25;
    }
    if (name.starts_with('d')) limit.absolute += gradient_error_;
    return limit;
  }
  /// All but one implementation of each op refuse f16.
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return info.caps.fp16 ? std::vector<std::string>{""} : std::vector<std::string>{};
  }
  Cost forward_cost() const override { return plain_->forward_cost(); }
  Cost backward_cost() const override { return plain_->backward_cost(); }

 private:
  std::shared_ptr<const OpCase> plain_;
  std::set<std::string, std::less<>> halves_;
  double gradient_error_;
};

/// `cases` with these fields in f16.
inline CaseList half_storage(const CaseList& cases, const std::set<std::string, std::less<>>& halves,
                             double gradient_error = 0) {
  CaseList list;
  for (const auto& plain : cases) list.push_back(std::make_shared<HalfStorageCase>(plain, halves, gradient_error));
  return list;
}

}  // namespace vitcl::selftest
