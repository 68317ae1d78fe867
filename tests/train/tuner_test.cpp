#include "vitcl/train/tuner.hpp"

#include <algorithm>
#include <numeric>

#include "ops/trial.hpp"
#include "selftest/force_impl.hpp"
#include "support/devices.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "tiny_run.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

using train::StepChoice;
using Names = std::vector<std::string>;

/// A search whose candidates' processes are shell scripts.
class TunerTest : public ::testing::Test {
 protected:
  TunerTest() { device.name = "a device"; }

  /// $1, $2 and $3 are op, shape and implementation; every call is logged.
  train::TunerOptions command(const std::string& script) const {
    std::ofstream(folder / "script") << "echo $3 >> " << (folder / "log").string() << "\n" << script;
    return {.command = {"/bin/sh", folder / "script"}, .budget_seconds = 100, .candidate_seconds = 50};
  }
  static StepChoice choice(const std::string& shape, const Names& names, const std::string& op = "gemm") {
    StepChoice choice{.key = {op, shape}, .choice = {}, .share = 0.5};
    for (const std::string& name : names) choice.choice.candidates.push_back({name, {}});
    return choice;
  }
  train::TuningReport tune(const std::vector<StepChoice>& choices, const train::TunerOptions& options) {
    train::TuningObserver silent;
    return train::tune(device, choices, store, options, silent);
  }
  Names calls() const {
    Names names;
    std::ifstream log(folder / "log");
    for (std::string line; std::getline(log, line);) names.push_back(line);
    return names;
  }

  TemporaryFolder folder;
  TuningStore store{folder / "tuning.jsonl"};
  DeviceInfo device;
};

constexpr const char* three_speeds = R"(
case $3 in
shipped) echo '{"microseconds": 30, "gflops": 1}' ;;
fast) echo '{"microseconds": 25, "gflops": 1.2}' ;;
slow) echo '{"microseconds": 100, "gflops": 0.3}' ;;
near) echo '{"microseconds": 29.5, "gflops": 1.02}' ;;
esac
)";

TEST_F(TunerTest, TheFastestIsSaved) {
  const auto report = tune({choice("a", {"shipped", "slow", "fast"})}, command(three_speeds));
  ASSERT_EQ(report.tuned.size(), 1U);
  EXPECT_EQ(report.tuned[0].record.implementation, "fast");
  EXPECT_EQ(report.tuned[0].record.microseconds, 25);
  EXPECT_EQ(report.tuned[0].shipped, "shipped");
  EXPECT_EQ(report.tuned[0].shipped_microseconds, 30);
  EXPECT_TRUE(report.left_out.empty());
  EXPECT_EQ(store.load(device).names(), (ImplementationNames{{{"gemm", "a"}, "fast"}}));
}

TEST_F(TunerTest, RoundsAlternateWithoutTheSlow) {
  tune({choice("a", {"shipped", "slow", "fast"})}, command(three_speeds));
  EXPECT_EQ(calls(), (Names{"shipped", "slow", "fast", "fast", "shipped", "shipped", "fast"}));
}

TEST_F(TunerTest, AFewPercentDoNotReplaceTheShipped) {
  const auto report = tune({choice("a", {"shipped", "near"})}, command(three_speeds));
  EXPECT_EQ(report.tuned.at(0).record.implementation, "shipped");
  EXPECT_EQ(report.tuned.at(0).record.microseconds, 30);
}

TEST_F(TunerTest, TheLeastOfSeveralRoundsCounts) {
  // The first answer of each is disturbed, that of `fast` more.
  const auto options = command(R"(
n=$(grep -c "^$3\$" )" + (folder / "log").string() +
                               R"()
case $3$n in
shipped1) t=40 ;; fast1) t=50 ;; shipped*) t=30 ;; fast*) t=20 ;;
esac
echo "{\"microseconds\": $t, \"gflops\": 1}"
)");
  const auto report = tune({choice("a", {"shipped", "fast"})}, options);
  EXPECT_EQ(report.tuned.at(0).record.implementation, "fast");
  EXPECT_EQ(report.tuned.at(0).record.microseconds, 20);
}

TEST_F(TunerTest, WhatFailsIsLeftOutWithItsReason) {
  auto options = command(R"(
case $3 in
shipped) echo '{"microseconds": 30, "gflops": 1}' ;;
wrong) echo '{"failure": "its result is wrong"}' ;;
crashing) kill -SEGV $$ ;;
hanging) exec sleep 600 ;;
silent) exit 3 ;;
babbling) echo what ;;
incomplete) echo '{"gflops": 1}' ;;
esac
)");
  options.candidate_seconds = 8;
  const Names names = {"wrong", "crashing", "hanging", "silent", "babbling", "incomplete", "shipped"};
  const auto report = tune({choice("a", names), choice("b", names)}, options);
  ASSERT_EQ(report.left_out.size(), 6U);
  const std::vector<std::string> reasons = {"result is wrong", "signal 11", "not finish within 8 s",
                                            "code 3",          "code 0",    "code 0"};
  for (size_t i = 0; i < reasons.size(); ++i) {
    EXPECT_EQ(report.left_out[i].implementation, names[i]);
    EXPECT_TRUE(says(report.left_out[i].reason, {reasons[i]}));
  }
  ASSERT_EQ(report.tuned.size(), 2U);
  for (const auto& tuned : report.tuned) {
    EXPECT_EQ(tuned.record.implementation, "shipped");
    EXPECT_EQ(tuned.shipped, "wrong") << "the first that does not refuse";
    EXPECT_EQ(tuned.shipped_microseconds, 0) << "it failed";
  }
  EXPECT_EQ(calls().size(), 6U + 3 + 3) << "failures are not tried again, at other shapes neither";
}

TEST_F(TunerTest, ALateFailureCounts) {
  const auto options = command(R"(
if [ $3 = fast ] && [ $(grep -c fast )" +
                               (folder / "log").string() +
                               R"() -gt 1 ]; then exit 1; fi
case $3 in fast) t=10 ;; *) t=30 ;; esac
echo "{\"microseconds\": $t, \"gflops\": 1}"
)");
  // `shipped` is within the range of another round only because it is the shipped one.
  const auto report = tune({choice("a", {"shipped", "fast"})}, options);
  EXPECT_EQ(report.tuned.at(0).record.implementation, "shipped");
  EXPECT_EQ(report.left_out.at(0).implementation, "fast");
}

TEST_F(TunerTest, NothingIsSavedWhereAllFail) {
  const auto report = tune({choice("a", {"x", "y"})}, command("exit 1"));
  EXPECT_TRUE(report.tuned.empty());
  EXPECT_EQ(report.left_out.size(), 2U);
  EXPECT_EQ(report.not_reached, 0U);
  EXPECT_TRUE(store.load(device).records.empty());
}

TEST_F(TunerTest, WhatLeavesNoChoiceIsPassedOver) {
  StepChoice refused = choice("a", {"x", "y"});
  refused.choice.candidates[0].refusal = "it is tired";
  const auto report = tune({refused, choice("5", {"chunks", "items"}, "adam")}, command(three_speeds));
  EXPECT_TRUE(report.tuned.empty());
  EXPECT_TRUE(calls().empty());
}

TEST_F(TunerTest, TheBudgetEndsTheSearch) {
  auto options = command("if [ $2 = b ]; then exec sleep 600; fi\n" + std::string(three_speeds));
  options.budget_seconds = 6;
  const Names names = {"shipped", "fast"};
  const auto report = tune({choice("a", names), choice("b", names), choice("c", names)}, options);
  ASSERT_EQ(report.tuned.size(), 1U);
  EXPECT_EQ(report.tuned[0].record.key.shape, "a");
  EXPECT_EQ(report.not_reached, 2U);
  EXPECT_TRUE(report.left_out.empty()) << "the budget was used up, which is not the candidate's fault";
}

TEST_F(TunerTest, SaysWhatKeepsItFromWorking) {
  const auto options = command(three_speeds);
  const std::vector<StepChoice> choices = {choice("a", {"shipped", "fast"})};
  {
    const ForceImpl forced("gelu:items");
    EXPECT_TRUE(says(error_of<UsageError>([&] { tune(choices, options); }), {"VITCL_IMPL"}));
  }
  auto missing = options;
  missing.command = {folder / "nothing"};
  EXPECT_TRUE(says(error_of<StorageError>([&] { tune(choices, missing); }), {"can't start", "nothing"}));
  const TuningStore impossible(folder / "script/tuning.jsonl");
  train::TuningObserver silent;
  EXPECT_NE(error_of<StorageError>([&] { train::tune(device, choices, impossible, options, silent); }), "no error");
}

class TunedDeviceTest : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, TunedDeviceTest, all_devices(), device_name);

TEST_P(TunedDeviceTest, AStepsChoicesAreToldWithoutCompiling) {
  const TemporaryFolder empty;
  ASSERT_EQ(setenv("VITCL_KERNEL_DIR", empty.path().c_str(), 1), 0);  // there is nothing to compile
  train::TrainConfig config = tiny_config();
  config.fuse = false;
  const std::vector<StepChoice> choices = train::step_choices(GetParam().info, config);
  unsetenv("VITCL_KERNEL_DIR");
  double shares = 0;
  std::set<std::string> ops;
  for (const StepChoice& choice : choices) {
    shares += choice.share;
    ops.insert(choice.key.op);
    EXPECT_EQ(choice.choice.by, ChosenBy::preference) << choice.key.op;
  }
  EXPECT_NEAR(shares, 1, 1e-9);
  EXPECT_TRUE(std::ranges::is_sorted(choices, std::greater(), &StepChoice::share));
  EXPECT_EQ(ops, (std::set<std::string>{"adam", "add", "attention", "batch", "bias", "cross_entropy", "gelu", "gemm",
                                        "layer_norm", "patch_embed", "pool"}));
}

// What the tuner does not try may not matter, whatever a step is made of.
TEST_P(TunedDeviceTest, NearlyAllOfAStepCanBeTried) {
  for (const bool fuse : {false, true}) {
    train::TrainConfig article;
    article.fuse = fuse;
    double share = 0;
    for (const StepChoice& choice : train::step_choices(GetParam().info, article)) {
      if (!ops::plain_implementation(choice.key.op).empty()) share += choice.share;
    }
    EXPECT_GT(share, 0.99) << "fuse " << fuse;
  }
}

// What the tuner asks for is what a run on the device takes.
TEST_P(TunedDeviceTest, AStepTakesWhatIsAskedFor) {
  for (const bool fuse : {false, true}) {
    train::TrainConfig config = tiny_config();
    config.fuse = fuse;
    ImplementationNames asked;
    for (const StepChoice& choice : train::step_choices(GetParam().info, config)) {
      const std::string plain(ops::plain_implementation(choice.key.op));
      if (!plain.empty()) asked[choice.key] = choice.key.op == "encoder_block" ? "tile_4x16" : plain;
    }
    device().choices().ask(asked);
    train::Trainer trainer(device(), config, tiny_data());
    const ImplementationNames taken = device().choices().names();
    device().choices().ask({});
    for (const auto& [key, name] : asked) EXPECT_EQ(taken.at(key), name) << key.op << " " << key.shape;
  }
}

TEST_P(TunedDeviceTest, ACandidateIsHeldToThePlainOne) {
  for (const OpShape& key : std::vector<OpShape>{{"gemm", "tn_5x7x300"}, {"layer_norm", "9x5"}}) {
    const std::string plain(ops::plain_implementation(key.op));
    const train::Measurement good = train::measure_candidate(GetParam().info, key, plain);
    EXPECT_EQ(good.failure, "");
    EXPECT_GT(good.microseconds, 0);
    EXPECT_GT(good.gflops, 0);
    const train::Measurement none = train::measure_candidate(GetParam().info, key, "nothing");
    EXPECT_TRUE(says(none.failure, {"refuses"}));
  }
  EXPECT_TRUE(says(train::measure_candidate(GetParam().info, {"gemm", "5x5"}, "local_tile").failure, {"5x5"}));
}

TEST(Measurements, AreLinesOfJson) {
  EXPECT_EQ(train::to_json({.microseconds = 2.5, .gflops = 10}), R"({"microseconds":2.5,"gflops":10.0})");
  EXPECT_EQ(train::to_json({.failure = "a \"word\"\nand \xff"}), "{\"failure\":\"a \\\"word\\\"\\nand \xEF\xBF\xBD\"}");
}

}  // namespace
}  // namespace vitcl::test
