#include "vitcl/backend/kernel.hpp"

#include <fmt/format.h>

#include "backend/native.hpp"

namespace vitcl {

KernelSpec&& KernelSpec::define(std::string_view name, int64_t value) && {
  defines_.emplace_back(name, value);
  return std::move(*this);
}

std::string KernelSpec::options() const {
  std::string text;
  for (const auto& [name, value] : defines_) text += fmt::format("{}-D{}={}", text.empty() ? "" : " ", name, value);
  return text;
}

const std::string& Kernel::name() const { return state_->name; }

}  // namespace vitcl
