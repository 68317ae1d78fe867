#include "vitcl/backend/choices.hpp"

#include <utility>

namespace vitcl {

std::string_view to_string(ChosenBy by) {
  switch (by) {
    case ChosenBy::tuning:
      return "tuned";
    case ChosenBy::force:
      return "forced";
    case ChosenBy::preference:
      break;
  }
  return "shipped";
}

void Choices::ask(ImplementationNames names) {
  asked_ = std::move(names);
  taken_.clear();
  last_ = nullptr;
}

ImplementationNames Choices::names() const {
  ImplementationNames names;
  for (const auto& [key, choice] : taken_) names[key] = choice.implementation;
  return names;
}

const std::string* Choices::asked(const OpShape& key) const {
  const auto found = asked_.find(key);
  return found == asked_.end() ? nullptr : &found->second;
}

const Choice* Choices::reuse(const OpShape& key) {
  const auto found = taken_.find(key);
  if (found == taken_.end()) return nullptr;
  return last_ = &found->second;
}

const Choice& Choices::take(const OpShape& key, Choice choice) {
  Choice& slot = taken_[key];
  choice.flops = slot.flops;
  choice.bytes = slot.bytes;
  slot = std::move(choice);
  return *(last_ = &slot);
}

void Choices::count(double flops, double bytes) {
  if (last_ == nullptr) return;
  last_->flops += flops;
  last_->bytes += bytes;
}

}  // namespace vitcl
