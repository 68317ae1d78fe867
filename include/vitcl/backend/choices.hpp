#pragma once

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vitcl {

/// An implementation of an op, and why it can't serve a shape on a device, if so.
struct Candidate {
  std::string name;
  std::optional<std::string> refusal;
};

/// An op and the sizes it works on: {"gemm", "nt_1700x192x64"}. src/ops/trial.hpp says what each op's sizes mean.
struct OpShape {
  std::string op, shape;
  auto operator<=>(const OpShape&) const = default;
};

/// The name of an implementation for each op and shape.
using ImplementationNames = std::map<OpShape, std::string>;

/// Whose word decided a choice: vitcl's own order of preference, the tuner's (or an earlier run's), or VITCL_IMPL's.
enum class ChosenBy { preference, tuning, force };
/// "shipped", "tuned" or "forced".
std::string_view to_string(ChosenBy by);

/// What an op chose for a shape.
struct Choice {
  std::string implementation;
  ChosenBy by = ChosenBy::preference;
  std::vector<Candidate> candidates = {};  ///< in order of preference
  double flops = 0, bytes = 0;             ///< of the launches that followed
};

/// The choices on one device: the implementations that are asked for, and those that ops took. Not thread-safe.
class Choices {
 public:
  Choices() = default;
  explicit Choices(ImplementationNames asked) : asked_(std::move(asked)) {}

  /// Asks for other implementations from now on and forgets what was taken.
  void ask(ImplementationNames names);
  const std::map<OpShape, Choice>& taken() const { return taken_; }
  /// The names of what was taken; asking for them again gives the same choices.
  ImplementationNames names() const;

  // For ops, see ops/implementation.hpp. Launches are counted as the last choice's until the next one.

  /// The implementation that is asked for, or null.
  const std::string* asked(const OpShape& key) const;
  /// What was taken for `key` before, or null.
  const Choice* reuse(const OpShape& key);
  const Choice& take(const OpShape& key, Choice choice);
  void count(double flops, double bytes);

 private:
  ImplementationNames asked_;
  std::map<OpShape, Choice> taken_;
  Choice* last_ = nullptr;
};

}  // namespace vitcl
