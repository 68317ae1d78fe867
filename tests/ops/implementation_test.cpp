#include "vitcl/ops/implementation.hpp"

#include <gtest/gtest.h>

#include <array>

#include "support/force_impl.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

constexpr std::array<std::string_view, 2> names = {"rows", "work_group"};

std::string error_of(const std::string& value) {
  const ForceImpl force(value);
  try {
    ops::forced_implementation("layer_norm", names);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST(ForcedImplementation, IsWhatTheVariableNames) {
  const ForceImpl nothing("");
  EXPECT_EQ(ops::forced_implementation("layer_norm", names), "");
  const ForceImpl force("gelu:items,layer_norm:work_group");
  EXPECT_EQ(ops::forced_implementation("layer_norm", names), "work_group");
  EXPECT_EQ(ops::forced_implementation("pool", names), "");
}

TEST(ForcedImplementation, ListsWhatThereIs) {
  EXPECT_NE(error_of("layer_norm:fast").find("rows, work_group"), std::string::npos);
  EXPECT_NE(error_of("layer_nrom:rows").find("layer_norm"), std::string::npos);
  EXPECT_NE(error_of("layer_norm").find("op:name"), std::string::npos);
  EXPECT_NE(error_of("layer_norm:").find("op:name"), std::string::npos);
}

}  // namespace vitcl::test
