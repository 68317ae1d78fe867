#include "vitcl/ops/implementation.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "vitcl/backend/device.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::ops {
namespace {

// The ops that have a choice, so that a misspelt one is not silently ignored.
constexpr std::array<std::string_view, 19> ops_with_choice = {
    "adam",        "add",           "attention", "batch",   "bias",       "convolution", "cross_entropy",
    "dropout",     "encoder_block", "gelu",      "gemm",    "layer_norm", "optimizer",   "parts",
    "patch_embed", "pool",          "scale",     "softmax", "unfold"};

struct Forced {
  std::string_view op, name;
};

Forced parse(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) {
    throw UsageError(fmt::format("VITCL_IMPL holds \"{}\" but each part must be op:name, as in layer_norm:rows", text));
  }
  const Forced choice{text.substr(0, colon), text.substr(colon + 1)};
  if (std::ranges::find(ops_with_choice, choice.op) == ops_with_choice.end()) {
    throw UsageError(fmt::format("VITCL_IMPL names the op \"{}\" but the ops with a choice are {}", choice.op,
                                 fmt::join(ops_with_choice, ", ")));
  }
  return choice;
}

std::string_view forced_among(std::string_view op, const std::vector<Candidate>& candidates) {
  std::vector<std::string_view> names;
  for (const Candidate& candidate : candidates) names.emplace_back(candidate.name);
  return forced_implementation(op, names);
}

Choice decide(const OpShape& key, const std::string* asked, std::vector<Candidate> candidates) {
  if (const std::string_view forced = forced_among(key.op, candidates); !forced.empty()) {
    const auto& refusal = std::ranges::find(candidates, forced, &Candidate::name)->refusal;
    if (!refusal) return {std::string(forced), ChosenBy::force, std::move(candidates)};
    throw UsageError(fmt::format("[{0}] VITCL_IMPL asks {0} for \"{1}\" but {2}", key.op, forced, *refusal));
  }
  const auto serves = [](const Candidate& candidate) { return !candidate.refusal; };
  if (asked != nullptr) {
    const auto found = std::ranges::find(candidates, *asked, &Candidate::name);
    if (found != candidates.end() && serves(*found)) return {*asked, ChosenBy::tuning, std::move(candidates)};
  }
  std::string preferred = std::ranges::find_if(candidates, serves)->name;  // the plain one serves everything
  return {std::move(preferred), ChosenBy::preference, std::move(candidates)};
}

}  // namespace

std::string_view forced_implementation(std::string_view op, std::span<const std::string_view> names) {
  const char* variable = std::getenv("VITCL_IMPL");
  std::string_view rest = variable == nullptr ? "" : variable;
  std::string_view forced;
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const Forced choice = parse(rest.substr(0, comma));
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

const std::string& choose_implementation(Device& device, const OpShape& key, const Candidates& candidates) {
  Choices& choices = device.choices();
  const char* forces = std::getenv("VITCL_IMPL");
  if (forces == nullptr || *forces == '\0') {
    const Choice* known = choices.reuse(key);
    if (known != nullptr && known->by != ChosenBy::force) return known->implementation;
  }
  return choices.take(key, decide(key, choices.asked(key), candidates())).implementation;
}

}  // namespace vitcl::ops
