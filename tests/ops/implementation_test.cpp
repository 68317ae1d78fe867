#include "vitcl/ops/implementation.hpp"

#include <gtest/gtest.h>

#include <array>

#include "selftest/force_impl.hpp"
#include "support/devices.hpp"
#include "support/errors.hpp"
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

class ChoiceTest : public DeviceTest {
 protected:
  ~ChoiceTest() override { device().choices().ask({}); }

  /// Chooses between "first", which refuses where asked to, and "second".
  std::string choose(const std::string& shape, bool first_refuses = false) {
    return ops::choose_implementation(device(), {"gelu", shape}, [&]() -> std::vector<Candidate> {
      ++times_listed_;
      return {{"first", first_refuses ? std::optional<std::string>("it is tired") : std::nullopt}, {"second", {}}};
    });
  }
  const Choice& taken(const std::string& shape) { return device().choices().taken().at({"gelu", shape}); }

  int times_listed_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Devices, ChoiceTest, all_devices(), device_name);

TEST_P(ChoiceTest, TheFirstThatServesIsPreferred) {
  device().choices().ask({});
  EXPECT_EQ(choose("1"), "first");
  EXPECT_EQ(choose("2", true), "second");
  EXPECT_EQ(taken("1").by, ChosenBy::preference);
  EXPECT_EQ(taken("2").candidates.at(0).refusal, "it is tired");
}

TEST_P(ChoiceTest, WhatIsAskedForWinsOverThePreferred) {
  device().choices().ask({{{"gelu", "1"}, "second"}, {{"gelu", "2"}, "first"}, {{"gelu", "3"}, "third"}});
  EXPECT_EQ(choose("1"), "second");
  EXPECT_EQ(taken("1").by, ChosenBy::tuning);
  EXPECT_EQ(choose("2", true), "second") << "it refuses";
  EXPECT_EQ(taken("2").by, ChosenBy::preference);
  EXPECT_EQ(choose("3"), "first") << "there is no third";
  EXPECT_EQ(choose("4"), "first") << "another shape";
}

TEST_P(ChoiceTest, WhatIsForcedWinsOverAll) {
  device().choices().ask({{{"gelu", "1"}, "second"}});
  EXPECT_EQ(choose("1"), "second");
  {
    const ForceImpl forced("gelu:first");
    EXPECT_EQ(choose("1"), "first");
    EXPECT_EQ(taken("1").by, ChosenBy::force);
    EXPECT_TRUE(says(error_of<UsageError>([&] { choose("1", true); }), {"gelu", "first", "it is tired"}));
  }
  EXPECT_EQ(choose("1"), "second") << "no longer forced";
}

TEST_P(ChoiceTest, AskingForWhatWasTakenGivesItAgain) {
  device().choices().ask({{{"gelu", "1"}, "second"}});
  choose("1");
  choose("2");
  const ImplementationNames names = device().choices().names();
  device().choices().ask(names);
  EXPECT_TRUE(device().choices().taken().empty());
  EXPECT_EQ(choose("1"), "second");
  EXPECT_EQ(choose("2"), "first");
  EXPECT_EQ(device().choices().names(), names);
}

TEST_P(ChoiceTest, CandidatesAreListedOnce) {
  device().choices().ask({});
  for (int i = 0; i < 3; ++i) choose("1");
  EXPECT_EQ(times_listed_, 1);
}

}  // namespace vitcl::test
