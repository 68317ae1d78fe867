// What the tuner finds, who uses it, and what a run remembers of it.
#include <algorithm>

#include "ops/trial.hpp"
#include "program.hpp"
#include "support/errors.hpp"
#include "vitcl/backend/tuning_store.hpp"
#include "vitcl/train/tuner.hpp"

namespace vitcl::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class Tune : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    program.environment["VITCL_CACHE_DIR"] = cache.path();
    if (IsSkipped()) return;
    info = select_device("auto");
    take_verdict_to(cache.path());
  }

  /// The model and batch of small_run().
  static train::TrainConfig small_config() {
    train::TrainConfig config;
    config.model.patch_size = 14;
    config.model.dim = 8;
    config.model.depth = 1;
    config.model.heads = 2;
    config.model.mlp_dim = 8;
    config.batch_size = 8;
    return config;
  }
  /// Of plain layers, which compile in a moment.
  static Arguments small_tune() {
    return {"tune", "--patch-size", "14", "--dim",        "8", "--depth", "1",  "--heads",
            "2",    "--mlp-dim",    "8",  "--batch-size", "8", "--fuse",  "off"};
  }
  /// Saves an implementation other than the shipped one for every choice of small_run() that has one, as if the tuner
  /// had found it: the plain one, or that which `which` picks.
  ImplementationNames pretend(const std::string& which = "") const {
    ImplementationNames names;
    std::vector<TuningRecord> records;
    for (const train::StepChoice& choice : train::step_choices(info, small_config())) {
      const std::string plain(ops::plain_implementation(choice.key.op));
      for (const Candidate& candidate : choice.choice.candidates) {
        const bool wanted = which.empty() ? candidate.name == plain : candidate.name == which;
        if (!wanted || candidate.refusal || candidate.name == choice.choice.implementation) continue;
        names[choice.key] = candidate.name;
        records.push_back({.key = choice.key, .implementation = candidate.name, .microseconds = 1, .gflops = 1});
      }
    }
    store().save(info, records);
    return names;
  }
  TuningStore store() const { return TuningStore(cache / "tuning.jsonl"); }
  /// What a run's environment.json says that it took for the choices in `names`.
  ImplementationNames taken(const std::string& run, const ImplementationNames& names) {
    const json environment = json::parse(std::ifstream(program / (run + "/environment.json")));
    ImplementationNames found;
    for (const auto& [key, name] : names) found[key] = environment["devices"][0]["implementations"][key.op][key.shape];
    return found;
  }
  /// The kernels with a text put before another in one file.
  fs::path broken_kernels(const std::string& file, const std::string& before, const std::string& inserted) {
    const fs::path folder = program / "cl";
    fs::copy(fs::path(VITCL_SOURCE_DIR) / "cl", folder, fs::copy_options::recursive);
    std::ostringstream text;
    text << std::ifstream(folder / file).rdbuf();
    std::string source = text.str();
    source.insert(source.find(before), inserted);
    std::ofstream(folder / file) << source;
    return folder;
  }

  TemporaryFolder cache;
  DeviceInfo info;
};

TEST_F(Tune, SavesWhatItFinds) {
  const Result result = program.run(small_tune() + Arguments{"--budget", "10"});
  ASSERT_EQ(result.code, 0) << result;
  EXPECT_TRUE(says(result.out, {"OP", "SHAPE", "FASTEST", "SHIPPED", "saved", (cache / "tuning.jsonl").string()}));
  EXPECT_TRUE(says(result.err, {"device"}));
  const auto records = store().load(info).records;
  EXPECT_FALSE(records.empty()) << result;
  for (const TuningRecord& record : records) {
    EXPECT_TRUE(says(result.out, {record.key.op, record.key.shape, record.implementation}));
    EXPECT_TRUE(says(result.err, {record.key.op, record.key.shape, record.implementation}));
  }
}

TEST_F(Tune, JsonHoldsEveryChoice) {
  const Result result = program.run(small_tune() + Arguments{"--budget", "0.1m", "--json", "--quiet"});
  ASSERT_EQ(result.code, 0) << result;
  EXPECT_EQ(result.err, "");
  const json document = json::parse(result.out);
  EXPECT_EQ(document.at("device"), info.name);
  EXPECT_TRUE(document.at("left_out").empty()) << result;
  const auto records = store().load(info).records;
  EXPECT_EQ(document.at("tuned").size(), records.size());
  for (const TuningRecord& record : records) {
    EXPECT_GT(record.microseconds, 0);
    EXPECT_GT(record.gflops, 0);
  }
}

TEST_F(Tune, ExplainTellsChoicesAndRefusals) {
  program.environment["VITCL_IMPL"] = "gelu:items";
  const train::TrainConfig article;
  std::vector<TuningRecord> records;
  for (const train::StepChoice& choice : train::step_choices(info, article)) {
    if (choice.key.op != "gemm") continue;
    records.push_back({.key = choice.key, .implementation = "local_tile", .microseconds = 4321, .gflops = 1});
  }
  store().save(info, records);
  const Result text = program.run({"devices", "--explain"});
  ASSERT_EQ(text.code, 0) << text;
  EXPECT_TRUE(says(text.out, {"article with batch size 100", "nt_1600x64x49", "local_tile", "tuned", "4321.0 us",
                              "forced", "shipped", "encoder_block"}));
  const json list = json::parse(program.run({"devices", "--explain", "--json"}).out);
  const json& explanation = list.at(info.index).at("explanation");
  EXPECT_EQ(explanation.at("failure"), "");
  for (const json& choice : explanation.at("choices")) {
    const std::string op = choice.at("op");
    EXPECT_EQ(choice.at("by"), op == "gemm" ? "tuned" : op == "gelu" ? "forced" : "shipped") << choice;
    EXPECT_GE(choice.at("candidates").size(), 2U);
  }
}

TEST_F(Tune, ExplainTakesAModel) {
  const Result result = program.run({"devices", "--explain", "--model", "tiny", "--batch-size", "2"});
  ASSERT_EQ(result.code, 0) << result;
  EXPECT_TRUE(says(result.out, {"tiny with batch size 2", "2x197x3x64"}));
  const Result plain = program.run({"devices", "--explain", "--fuse", "off"});
  EXPECT_TRUE(says(plain.out, {"attention     100x17x8x8"}));
  EXPECT_EQ(plain.out.find("encoder_block"), std::string::npos) << plain;
  EXPECT_TRUE(says(result.out, {"refused: attention head_lanes"})) << "too long for it anywhere";
}

TEST_F(Tune, EveryMistakeIsAUsageError) {
  for (const Arguments& arguments : {Arguments{"tune", "--budget", "soon"},
                                     {"tune", "--budget", "0s"},
                                     {"tune", "--budget", "-5"},
                                     {"tune", "--budget", "5 days"},
                                     {"tune", "--time-limit", "x"},
                                     {"tune", "--model", "huge"},
                                     {"tune", "--batch-size", "0"},
                                     {"train", "--tune", "later"},
                                     {"devices", "--model", "tiny"},
                                     {"devices", "--fuse", "off"},
                                     {"devices", "--explain", "--batch-size", "0"}}) {
    const Result result = program.run(arguments);
    EXPECT_EQ(result.code, 2) << testing::PrintToString(arguments) << result;
    EXPECT_EQ(result.out, "");
  }
  program.environment["VITCL_IMPL"] = "gelu:items";
  const Result forced = program.run({"tune"});
  EXPECT_EQ(forced.code, 2) << forced;
  EXPECT_TRUE(says(forced.err, {"VITCL_IMPL"}));
}

TEST_F(Tune, NamesTheDeviceThatIsNotThere) { EXPECT_EQ(program.run({"tune", "--device", "nothing"}).code, 4); }

TEST_F(Tune, ACacheThatCannotBeWrittenIsADiskError) {
  std::ofstream(program / "file") << "";
  program.environment["VITCL_CACHE_DIR"] = program / "file";
  const Result result = program.run(small_tune());
  EXPECT_EQ(result.code, 6) << result;
  EXPECT_TRUE(says(result.err, {"VITCL_CACHE_DIR"}));
}

// Candidates that do not compile, hang, crash, or compute something wrong, each in its own way.
TEST_F(Tune, BrokenCandidatesAreNamedAndLeftOut) {
  if (info.caps.small_kernels_only) GTEST_SKIP() << "the tiles refuse this device";
  program.environment["VITCL_KERNEL_DIR"] = broken_kernels("gemm_register_tile.cl", "  const int row = ", R"(
#if ROWS == 4 && VECTORS == 1
  for (volatile int forever = 1; forever;) {
  }
#elif ROWS == 4
#error broken on purpose
#elif ROWS == 14
  *(volatile __global int*)16 = 1;
#elif ROWS == 8 && VECTORS == 3
  if (get_global_id(0) == 0) return;
#elif ROWS == 8
  k -= 1;
#endif
)");
  const Result result = program.run(small_tune() + Arguments{"--budget", "30s", "--time-limit", "10s", "--json"});
  ASSERT_EQ(result.code, 0) << result;
  const json document = json::parse(result.out);
  std::map<std::string, std::string> reasons;
  for (const json& candidate : document.at("left_out")) {
    EXPECT_TRUE(reasons.emplace(candidate.at("implementation"), candidate.at("reason")).second) << "tried again";
  }
  EXPECT_TRUE(says(reasons["tile_4x16"], {"did not finish within 10 s"}));
  EXPECT_TRUE(says(reasons["tile_4x32"], {"gemm_register_tile.cl", "broken on purpose"}));
  EXPECT_NE(reasons["tile_14x32"], "") << "how a stray store ends depends on the driver";
  EXPECT_TRUE(says(reasons["tile_8x48"], {"wrong", "finite"}));
  EXPECT_TRUE(says(reasons["tile_8x32"], {"wrong", "off by"}));
  EXPECT_EQ(reasons.size(), 5U) << result;
  for (const auto& [key, name] : store().load(info).names()) EXPECT_FALSE(reasons.contains(name)) << key.shape;
}

TEST_F(Tune, RunsLoadWhatWasFound) {
  const ImplementationNames names = pretend();
  if (names.empty()) GTEST_SKIP() << "there is only one implementation of everything here";
  const Result loaded = program.run(small_run("loaded"));
  ASSERT_EQ(loaded.code, 0) << loaded;
  EXPECT_EQ(taken("loaded", names), names);
  EXPECT_TRUE(says(loaded.err, {"kernels"}));
  ASSERT_EQ(program.run(small_run("off") + Arguments{"--tune", "off"}).code, 0);
  for (const auto& [key, name] : taken("off", names)) EXPECT_NE(name, names.at(key)) << key.op;
  EXPECT_NE(bytes("loaded/checkpoint-last.safetensors"), bytes("off/checkpoint-last.safetensors"))
      << "other implementations, other bits: else the tests below show nothing";
}

TEST_F(Tune, ARunGoesOnWithItsOwnChoices) {
  const ImplementationNames names = pretend();
  if (names.empty()) GTEST_SKIP() << "there is only one implementation of everything here";
  ASSERT_EQ(program.run(small_run("whole") + Arguments{"--epochs", "3"}).code, 0);
  ASSERT_EQ(program.run(small_run("stopped") + Arguments{"--epochs", "1"}).code, 0);
  // Meanwhile the tuner changes its mind.
  fs::remove(store().file());
  pretend("clblast");
  const Result resumed = program.run({"train", "--resume", "stopped", "--epochs", "3"});
  ASSERT_EQ(resumed.code, 0) << resumed;
  EXPECT_EQ(taken("stopped", names), names);
  EXPECT_TRUE(bytes("whole/checkpoint-last.safetensors") == bytes("stopped/checkpoint-last.safetensors"));
  const Result changed = program.run({"train", "--resume", "stopped", "--epochs", "4", "--tune", "off"});
  EXPECT_EQ(changed.code, 2) << changed;
}

TEST_F(Tune, TrainSearchesForWhatIsMissing) {
  // Everything is known but the residual sums.
  std::vector<TuningRecord> known;
  for (const train::StepChoice& choice : train::step_choices(info, small_config())) {
    if (choice.key.op == "add" || ops::plain_implementation(choice.key.op).empty()) continue;
    known.push_back({.key = choice.key,
                     .implementation = choice.choice.implementation,
                     .microseconds = 1,
                     .gflops = 1,
                     .date = "2025-01-31T23:59:59Z"});
  }
  store().save(info, known);
  const Result result = program.run(small_run("run") + Arguments{"--tune", "search"});
  ASSERT_EQ(result.code, 0) << result;
  const auto records = store().load(info).records;
  for (const TuningRecord& record : known) EXPECT_EQ(std::ranges::count(records, record), 1) << "measured again";
  const bool chooses = !info.caps.small_kernels_only;  // where there is more than one implementation of add
  EXPECT_EQ(records.size() > known.size(), chooses);
  EXPECT_EQ(result.err.find("tuned   add") != std::string::npos, chooses) << result;
  const ImplementationNames names = store().load(info).names();
  EXPECT_EQ(taken("run", names), names);
}

TEST_F(Tune, AnOutputThatIsRefusedIsToldBeforeTheSearch) {
  ASSERT_EQ(program.run(small_run("run") + Arguments{"--epochs", "1"}).code, 0);
  const Result result = program.run(small_run("run") + Arguments{"--tune", "search"});
  EXPECT_EQ(result.code, 6) << result;
  EXPECT_TRUE(store().load(info).records.empty());
}

TEST_F(Tune, ABrokenFileStopsNothing) {
  std::ofstream(store().file()) << "gibberish\n\xff\xfe{]\n";
  const Arguments run = small_run("run") + Arguments{"--epochs", "1"};
  const Result trained = program.run(run);
  EXPECT_EQ(trained.code, 0) << trained;
  EXPECT_TRUE(says(trained.err, {"tuning.jsonl: 2 corrupt lines"}));
  const std::string checkpoint = "run/checkpoint-last.safetensors";
  const Result evaluated = program.run({"eval", checkpoint, "--data", "digits", "--test-samples", "20"});
  EXPECT_EQ(evaluated.code, 0) << evaluated;
  EXPECT_TRUE(says(evaluated.err, {"2 corrupt lines"}));
  EXPECT_EQ(program.run(small_run("quiet") + Arguments{"--epochs", "1", "--quiet"}).err, "");
}

TEST_F(Tune, OtherDevicesRecordsAreTold) {
  DeviceInfo other = info;
  other.name = "another device";
  store().save(other, {{.key = {"gemm", "a"}, .implementation = "clblast"}});
  const Result result = program.run(small_run("run") + Arguments{"--epochs", "1"});
  EXPECT_EQ(result.code, 0) << result;
  EXPECT_TRUE(says(result.err, {"tuning.jsonl: 1 record of other devices"}));
}

}  // namespace
}  // namespace vitcl::test
