#include "vitcl/selftest/selftest.hpp"

#include <cmath>
#include <filesystem>
#include <limits>

#include "support/devices.hpp"
#include "support/errors.hpp"

namespace vitcl::test {
namespace {

class SelfTestTest : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, SelfTestTest, all_devices(), device_name);

TEST_P(SelfTestTest, PassesWithSomethingTried) {
  const Report report = run(GetParam().info);
  EXPECT_TRUE(report.passed()) << report.verdict().failure;
  ASSERT_GE(report.ops.size(), 12U);
  for (const OpResult& op : report.ops) {
    EXPECT_TRUE(op.inputs > 0 || op.op == "encoder_block") << op.op << ": nothing was tried";
    EXPECT_TRUE(std::isfinite(op.worst_error)) << op.op;
  }
}

/// What a process says that prints this, or does worse.
Report answer(const std::string& script, double seconds = 120) { return examine({"/bin/sh", "-c", script}, seconds); }

TEST(Examine, ReadsTheReportBehindWhatADriverPrints) {
  const Report sent{.ops = {{.op = "gelu", .inputs = 3, .worst_error = 1e-7, .unit = "of its limit", .failures = {}},
                            {.op = "adam",
                             .inputs = 1,
                             .worst_error = std::numeric_limits<double>::quiet_NaN(),
                             .unit = "ulp",
                             .failures = {"7x31: \"y\" is wrong", "more"}}},
                    .seconds = 1.5};
  const Report got = answer("echo driver says hello; cat <<'END'\n" + to_json(sent) + "\nEND\n");
  ASSERT_EQ(got.ops.size(), 2U);
  EXPECT_EQ(got.ops[0].worst_error, 1e-7);
  EXPECT_TRUE(std::isnan(got.ops[1].worst_error));
  EXPECT_EQ(got.ops[1].failures, sent.ops[1].failures);
  EXPECT_EQ(got.seconds, 1.5);
  EXPECT_FALSE(got.passed());
  EXPECT_EQ(got.verdict().failure, "adam: 7x31: \"y\" is wrong");
}

TEST(Examine, AProcessThatCrashesHangsOrPrintsGarbageFails) {
  EXPECT_TRUE(says(answer("kill -SEGV $$").verdict().failure, {"crashed", "Segmentation fault"}));
  EXPECT_TRUE(says(answer("sleep 600", 0.5).verdict().failure, {"did not finish within 0.5 s"}));
  EXPECT_TRUE(says(answer("exit 3").verdict().failure, {"code 3", "no report"}));
  for (const std::string garbage : {"echo garbage", "echo '[]'", "echo '{\"seconds\": 1}'", "echo '{\"ops\": 7}'",
                                    "printf '\\377\\000\\n\\n'", "echo 5; echo"}) {
    EXPECT_TRUE(says(answer(garbage).verdict().failure, {"no report"})) << garbage;
  }
}

TEST(Examine, AnEmptyReportIsNoPass) {
  EXPECT_FALSE(answer("echo '{\"seconds\": 1, \"ops\": []}'").passed());
  EXPECT_FALSE(Report{}.verdict().passed());
}

}  // namespace
}  // namespace vitcl::test
