// The self-test as a user meets it: that it passes, that wrong kernels fail it, and what `train` makes of it.
#include "program.hpp"
#include "support/errors.hpp"

namespace vitcl::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class Doctor : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    if (!IsSkipped()) info = select_device("auto");
  }

  /// A wrong line for the right one, in a copy of the kernels' folder.
  void spoil(const std::string& file, const std::string& right, const std::string& wrong) {
    const fs::path folder = program / "cl";
    if (!fs::exists(folder)) fs::copy(fs::path(VITCL_SOURCE_DIR) / "cl", folder, fs::copy_options::recursive);
    std::ostringstream text;
    text << std::ifstream(folder / file).rdbuf();
    std::string source = text.str();
    const size_t at = source.find(right);
    ASSERT_NE(at, std::string::npos) << file << " has no " << right;
    std::ofstream(folder / file) << source.replace(at, right.size(), wrong);
    program.environment["VITCL_KERNEL_DIR"] = folder;
    program.environment["VITCL_CACHE_DIR"] = cache.path();  // the verdict is not for other tests
  }

  TemporaryFolder cache;
  DeviceInfo info;
};

TEST_F(Doctor, ARightDevicePasses) {
  const Result result = program.run({"doctor", "--device", "auto", "--report", "report.txt", "--json", "--quiet"});
  ASSERT_EQ(result.code, 0) << result;
  EXPECT_EQ(result.err, "");
  const json list = json::parse(result.out);
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].at("name"), info.name);
  EXPECT_EQ(list[0].at("passed"), true);
  EXPECT_GE(list[0].at("ops").size(), 12U);
  const auto report = bytes("report.txt");
  EXPECT_TRUE(says(std::string(report.begin(), report.end()),
                   {info.name, info.driver_version, "extensions", "variables", "gelu", "training step", "passed: "}));
  ASSERT_TRUE(VerdictStore().load(info));
  EXPECT_TRUE(VerdictStore().load(info)->passed());
  const Result table = program.run({"doctor", "--device", "auto"});
  EXPECT_TRUE(says(table.out, {"WORST ERROR", "ok      gelu", "ulp", "% of its limit", "passed: "})) << table;
  EXPECT_TRUE(says(table.err, {"testing"}));
}

// Off by little, in one pass or at one place, beyond the end: each in its own way.
TEST_F(Doctor, WrongKernelsAreNamed) {
  spoil("gelu.cl", "GELU(vitcl_load_stored(x, i, n))", "1.001f * GELU(vitcl_load_stored(x, i, n))");
  spoil("adam.cl", "step_size * update", "1.001f * step_size * update");
  spoil("layer_norm.cl", "dbias[c] = accumulate ? dbias[c] + bias_sum : bias_sum", "dbias[c] = bias_sum");
  spoil("patch_embed.cl", "int image = 0; image < batch", "int image = 0; image < min(batch, 6)");
  spoil("pool.cl", "1.0f / (float)count : 0.0f", "1.0f / (float)(count + 1) : 0.0f");
  spoil("add.cl", "vitcl_store_stored_gradient(vitcl_load_stored(dy, i, n), dx, i, n, accumulate); }",
        "vitcl_store_stored_gradient(vitcl_load_stored(dy, i, n), dx, i, n, accumulate); } dx[n] = 0.0f;");
  spoil("activation_probe.cl", "powers + first);", "powers + first); powers[first] *= 1.000001f;");
  const Result result = program.run({"doctor", "--device", "auto", "--json", "--quiet"});
  EXPECT_EQ(result.code, 4) << result;
  std::map<std::string, std::string> failures;
  const json ops = json::parse(result.out).at(0).at("ops");
  for (const json& op : ops) failures[op.at("op")] = op.at("failures").dump();
  EXPECT_TRUE(says(failures["gelu"], {"7x31 (kernels gelu_forward): forward: y(7, 31)", "got", "want", "limit"}));
  EXPECT_TRUE(says(failures["adam"], {"kernels adam", "parameters"}));
  EXPECT_TRUE(says(failures["layer_norm"], {"layer_norm_parameters", "parameters accumulate", "dbias"}));
  EXPECT_TRUE(says(failures["patch_embed"], {"embed_tokens_backward_shared", "dpositions", "dclass_token"}));
  EXPECT_TRUE(says(failures["pool"], {"mean_pool_forward", "mean_pool_backward"}));
  EXPECT_TRUE(says(failures["add"], {"byte 0 behind the tensor was overwritten"}));
  EXPECT_TRUE(says(failures["activations"], {"exp2 of lanes", "units in the last place"}));
  EXPECT_TRUE(says(failures["training step"], {"fused step", "plain step", "adam1"}));
  for (const char* right : {"cross_entropy", "linear", "attention", "batch"}) EXPECT_EQ(failures[right], "[]") << right;
  for (const json& device : json::parse(program.run({"devices", "--json", "--quiet"}).out)) {
    if (device.at("id") == info.selector()) {
      EXPECT_EQ(device.at("trusted"), false);
    }
  }
}

TEST_F(Doctor, TrainRefusesADeviceThatFails) {
  spoil("pool.cl", "vitcl_load_stored(tokens + image", "1.001f * vitcl_load_stored(tokens + image");
  // By name: auto would pass over it from the second run on.
  const Arguments run = small_run("run") + Arguments{"--epochs", "1", "--device", info.selector()};
  const Result first = program.run(run);
  EXPECT_EQ(first.code, 4) << first;
  EXPECT_TRUE(says(first.err, {info.name, "testing", "self-test", "pool", "error", "--trust", "vitcl doctor"}));
  EXPECT_FALSE(fs::exists(program / "run"));
  const Result second = program.run(run);
  EXPECT_EQ(second.code, 4) << second;
  EXPECT_EQ(second.err.find("testing"), std::string::npos) << "the verdict is kept";
  const Result trusted = program.run(run + Arguments{"--trust"});
  EXPECT_EQ(trusted.code, 0) << trusted;
  EXPECT_EQ(program.run({"train", "--resume", "run", "--epochs", "2"}).code, 4);
}

TEST_F(Doctor, ADeviceThatTakesTooLongFails) {
  program.environment["VITCL_CACHE_DIR"] = cache.path();
  const Result result = program.run({"doctor", "--device", "auto", "--time-limit", "0.01"});
  EXPECT_EQ(result.code, 4) << result;
  EXPECT_TRUE(says(result.out, {"FAILED", "did not finish within 0.01 s"}));
}

TEST_F(Doctor, ARightVerdictIsKeptForTraining) {
  program.environment["VITCL_CACHE_DIR"] = cache.path();
  take_verdict_to(cache.path());
  const Result result = program.run(small_run("run") + Arguments{"--epochs", "1"});
  EXPECT_EQ(result.code, 0) << result;
  EXPECT_EQ(result.err.find("testing"), std::string::npos) << result;
}

TEST_F(Doctor, AnUnknownDeviceOrAReportThatCantBeWrittenIsTold) {
  EXPECT_EQ(program.run({"doctor", "--device", "nothing"}).code, 4);
  program.environment["VITCL_CACHE_DIR"] = cache.path();
  const Result result = program.run({"doctor", "--device", "auto", "--report", "missing/folder/report.txt"});
  EXPECT_EQ(result.code, 6) << result;
}

}  // namespace
}  // namespace vitcl::test
