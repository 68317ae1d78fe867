#include "vitcl/ops/implementation.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "vitcl/backend/error.hpp"

namespace vitcl::ops {
namespace {

// The ops that have a choice, so that a misspelt one is not silently ignored.
constexpr std::array<std::string_view, 12> ops_with_choice = {"adam",       "add",           "attention", "batch",
                                                              "bias",       "cross_entropy", "gelu",      "gemm",
                                                              "layer_norm", "patch_embed",   "pool",      "softmax"};

struct Choice {
  std::string_view op, name;
};

Choice parse(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) {
    throw UsageError(fmt::format("VITCL_IMPL holds \"{}\" but each part must be op:name, as in layer_norm:rows", text));
  }
  const Choice choice{text.substr(0, colon), text.substr(colon + 1)};
  if (std::ranges::find(ops_with_choice, choice.op) == ops_with_choice.end()) {
    throw UsageError(fmt::format("VITCL_IMPL names the op \"{}\" but the ops with a choice are {}", choice.op,
                                 fmt::join(ops_with_choice, ", ")));
  }
  return choice;
}

}  // namespace

std::string_view forced_implementation(std::string_view op, std::span<const std::string_view> names) {
  const char* variable = std::getenv("VITCL_IMPL");
  std::string_view rest = variable == nullptr ? "" : variable;
  std::string_view forced;
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const Choice choice = parse(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (choice.op != op) continue;
    const auto found = std::ranges::find(names, choice.name);
    if (found == names.end()) {
      throw UsageError(
          fmt::format("VITCL_IMPL asks {} for \"{}\" but there is {}", op, choice.name, fmt::join(names, ", ")));
    }
    forced = *found;
  }
  return forced;
}

}  // namespace vitcl::ops
