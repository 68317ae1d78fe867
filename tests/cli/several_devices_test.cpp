// One run over several devices, some of which fail.
#include <fmt/format.h>

#include "program.hpp"
#include "support/errors.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

using nlohmann::json;

class SeveralDevices : public ProgramTest {
 protected:
  /// A device that can be cut in two, and its halves.
  void SetUp() override {
    ProgramTest::SetUp();
    for (const DeviceInfo& device : list_devices()) {
      const unsigned half = device.caps.compute_units / 2;
      halves_ = fmt::format("{0}/{1},{0}/{1}", device.selector(), half);
      try {
        if (half > 0 && select_devices(halves_).size() == 2) return;
      } catch (const DeviceError&) {
        continue;
      }
    }
    GTEST_SKIP() << "no device with two compute units can be cut";
  }

  Result train(const std::string& output, const std::string& failures) {
    program.environment.clear();
    if (!failures.empty()) {
      program.environment = {{"OPENCL_LAYERS", VITCL_FAILING_DEVICE_LAYER}, {"VITCL_TEST_FAILURES", failures}};
    }
    return program.run(small_run(output) + Arguments{"--device", halves_});
  }

  std::string halves_;
};

TEST_F(SeveralDevices, TrainAndGoOn) {
  const Result result = train("run", "");
  ASSERT_EQ(result.code, 0) << result;
  EXPECT_TRUE(says(result.err, {"device  1: ", "device  2: ", "2/2"}));
  EXPECT_EQ(logged_steps("run").size(), 22U);
  const json environment = json::parse(std::ifstream(program / "run/environment.json"));
  EXPECT_EQ(environment.at("devices").size(), 2U);
  EXPECT_GT(environment.at("devices")[1].at("implementations").size(), 0U);
  const Result resumed = program.run({"train", "--resume", "run", "--epochs", "3"});
  ASSERT_EQ(resumed.code, 0) << resumed;
  EXPECT_TRUE(says(resumed.err, {"device  2: ", "3/3"}));
  EXPECT_EQ(resumed.err.find("this run was on"), std::string::npos);
  const Result on_one = program.run({"train", "--resume", "run", "--epochs", "4", "--device", "auto"});
  ASSERT_EQ(on_one.code, 0) << on_one;
  EXPECT_TRUE(says(on_one.err, {"this run was on", "4/4"}));
}

TEST_F(SeveralDevices, ALostDeviceCostsNothing) {
  ASSERT_EQ(train("whole", "").code, 0);
  for (const char* failures : {"1:1", "1:2", "1:10", "1:16"}) {
    const Result result = train(failures, failures);
    ASSERT_EQ(result.code, 0) << result;
    EXPECT_TRUE(says(result.err, {"lost", "CL_DEVICE_NOT_AVAILABLE", "left out"}));
    EXPECT_EQ(bytes(std::string(failures) + "/checkpoint-last.safetensors"), bytes("whole/checkpoint-last.safetensors"))
        << failures;
    EXPECT_EQ(logged_steps(failures), logged_steps("whole"));
  }
}

TEST_F(SeveralDevices, WithTheLastOneTheStateIsSaved) {
  ASSERT_EQ(train("whole", "").code, 0);
  const Result result = train("run", "2:16");
  ASSERT_EQ(result.code, 4) << result;
  EXPECT_TRUE(says(result.err, {"lost", "no device is left", "is saved", "vitcl train --resume run"}));
  const std::string others = "the other devices compute";
  EXPECT_EQ(result.err.find(others), result.err.rfind(others)) << "said of the first that failed alone";
  program.environment.clear();
  const Result resumed = program.run({"train", "--resume", "run"});
  ASSERT_EQ(resumed.code, 0) << resumed;
  EXPECT_EQ(bytes("run/checkpoint-last.safetensors"), bytes("whole/checkpoint-last.safetensors"));
  EXPECT_EQ(logged_steps("run"), logged_steps("whole"));
}

TEST_F(SeveralDevices, RefuseListsThatMakeNoSense) {
  const std::string name = list_devices()[0].selector();
  const auto refused = [&](int code, const Arguments& arguments, std::initializer_list<std::string_view> words) {
    const Result result = program.run(small_run("run") + arguments);
    EXPECT_EQ(result.code, code) << result;
    EXPECT_TRUE(says(result.err, words));
    EXPECT_FALSE(std::filesystem::exists(program / "run"));
  };
  refused(2, {"--device", name + "," + name}, {"twice", name});
  refused(2, {"--device", name + ","}, {"empty"});
  refused(4, {"--device", name + ",no such device"}, {"no such device"});
  refused(2, {"--device", halves_, "--trace", "trace.json"}, {"--trace", "2"});
}

}  // namespace
}  // namespace vitcl::test
