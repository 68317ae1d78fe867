// A run from its start to its end, stopped and continued in every way.
#include <fmt/format.h>

#include <set>

#include "program.hpp"
#include "support/errors.hpp"
#include "vitcl/io/image.hpp"
#include "vitcl/io/safetensors.hpp"

namespace vitcl::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class Run : public ProgramTest {
 protected:
  std::vector<size_t> first_steps(size_t count) {
    std::vector<size_t> steps(count);
    for (size_t i = 0; i < count; ++i) steps[i] = i + 1;
    return steps;
  }
};

TEST_F(Run, LeavesItsFolder) {
  const Result result = program.run(small_run("run"));
  ASSERT_EQ(result.code, 0) << result;
  EXPECT_TRUE(says(result.out, {"test accuracy", "execution time", "checkpoint-last.safetensors"}));
  EXPECT_TRUE(says(result.err, {"device", "train loss", "2/2"}));
  EXPECT_EQ(result.err.find('\r'), std::string::npos) << "a bar where there is no terminal";
  EXPECT_EQ(result.err.find('\x1b'), std::string::npos) << "colours where there is no terminal";
  for (const char* name : {"config.toml", "environment.json", "metrics.jsonl", "checkpoint-last.safetensors",
                           "checkpoint-best.safetensors", "checkpoint-00000000.safetensors",
                           "checkpoint-00000011.safetensors", "checkpoint-00000022.safetensors"}) {
    EXPECT_TRUE(fs::exists(program / "run" / name)) << name;
  }
  EXPECT_EQ(logged_steps("run"), first_steps(22));
  EXPECT_EQ(bytes("run/checkpoint-last.safetensors"), bytes("run/checkpoint-00000022.safetensors"));
}

TEST_F(Run, AugmentsAsIsUsualForTheDataThatWereFound) {
  const Result trained = program.run(
      small_run("run") + Arguments{"--data", "auto", "--data-dir", ".", "--augment", "default", "--degrees", "3"});
  ASSERT_EQ(trained.code, 0) << trained;
  const auto config = bytes("run/config.toml");
  EXPECT_TRUE(
      says(std::string(config.begin(), config.end()), {"data = \"digits\"\n", "degrees = 3\n", "translate = 0.08\n"}));
}

TEST_F(Run, QuietPrintsResultsOnly) {
  const Result result = program.run(small_run("run") + Arguments{"--quiet"});
  EXPECT_EQ(result.code, 0) << result;
  EXPECT_EQ(result.err, "");
  EXPECT_TRUE(says(result.out, {"test accuracy"}));
}

TEST_F(Run, ProfilePrintsKernels) {
  const Result result = program.run(small_run("run") + Arguments{"--profile", "--quiet"});
  EXPECT_EQ(result.code, 0) << result;
  EXPECT_TRUE(says(result.out, {"KERNEL", "GFLOP/s", "adam"}));
}

TEST_F(Run, TraceHoldsTheLaunchesInOrder) {
  const Result result = program.run(small_run("run") + Arguments{"--trace", "trace.json", "--quiet"});
  ASSERT_EQ(result.code, 0) << result;
  const json events = json::parse(std::ifstream(program / "trace.json")).at("traceEvents");
  EXPECT_EQ(events.at(0).at("args").at("name"), select_device("auto").name);
  size_t updates = 0;
  double end = 0;
  for (const json& event : events) {
    if (event.at("ph") != "X") continue;
    EXPECT_GE(event.at("ts").get<double>(), end - 1e-3) << event;  // one queue: a launch ends before the next begins
    end = event.at("ts").get<double>() + event.at("dur").get<double>();
    updates += event.at("name") == "adam" ? 1 : 0;
  }
  EXPECT_EQ(updates, 22U);
  EXPECT_GT(end, 0);
}

TEST_F(Run, ATraceThatCanNotBeMadeIsRefusedBeforeTraining) {
  fs::create_directory(program / "folder");
  for (const char* file : {"missing/trace.json", "folder"}) {
    const Result result = program.run(small_run("run") + Arguments{"--trace", file});
    EXPECT_EQ(result.code, 6) << result;
    EXPECT_TRUE(says(result.err, {file}));
  }
  EXPECT_TRUE(fs::is_empty(program / "folder"));
  for (const DeviceInfo& device : list_devices()) {
    if (!device.caps.profiling_clock_broken) continue;
    const Result result =
        program.run(small_run("run") + Arguments{"--trace", "t.json", "--device", std::to_string(device.index)});
    EXPECT_EQ(result.code, 4) << result;
    EXPECT_TRUE(says(result.err, {"--trace", "clock", device.name}));
  }
  EXPECT_FALSE(fs::exists(program / "run"));
}

TEST_F(Run, TwiceGivesTheSameBits) {
  ASSERT_EQ(program.run(small_run("a")).code, 0);
  ASSERT_EQ(program.run(small_run("b")).code, 0);
  ASSERT_EQ(program.run(small_run("c") + Arguments{"--checkpoint-every", "4"}).code, 0);
  for (const char* name : {"00000000", "00000011", "00000022", "best", "last"}) {
    const std::string file = fmt::format("checkpoint-{}.safetensors", name);
    EXPECT_TRUE(bytes("a/" + file) == bytes("b/" + file)) << name;
  }
  EXPECT_TRUE(bytes("a/checkpoint-last.safetensors") == bytes("c/checkpoint-last.safetensors"));
  EXPECT_TRUE(fs::exists(program / "c/checkpoint-00000020.safetensors"));
  EXPECT_FALSE(fs::exists(program / "c/checkpoint-00000011.safetensors"));
}

TEST_F(Run, KeepsAsManyCheckpointsAsAsked) {
  const Arguments every = {"--checkpoint-every", "4", "--checkpoint-hist", "2"};
  ASSERT_EQ(program.run(small_run("run") + every).code, 0);
  for (const char* step : {"00000000", "00000012", "00000016", "00000020"}) {
    EXPECT_EQ(fs::exists(program / fmt::format("run/checkpoint-{}.safetensors", step)), step >= std::string("00000016"))
        << step;
  }
  EXPECT_TRUE(fs::exists(program / "run/checkpoint-best.safetensors"));
}

TEST_F(Run, RecomputeIsSavedAndMayChange) {
  const auto config = [&] {
    const auto file = bytes("b/config.toml");
    return std::string(file.begin(), file.end());
  };
  ASSERT_EQ(program.run(small_run("a")).code, 0);
  ASSERT_EQ(program.run(small_run("b") + Arguments{"--recompute", "--epochs", "1"}).code, 0);
  EXPECT_TRUE(says(config(), {"recompute = true"}));
  const Result off = program.run({"train", "--resume", "b", "--recompute", "off", "--epochs", "2"});
  ASSERT_EQ(off.code, 0) << off;
  EXPECT_TRUE(says(off.err, {"without reuse"}));
  EXPECT_TRUE(says(config(), {"recompute = false"}));
  EXPECT_TRUE(bytes("a/checkpoint-last.safetensors") == bytes("b/checkpoint-last.safetensors"));
}

// Another rounding is another run: it goes on as it was started.
TEST_F(Run, FuseIsSavedAndMayNotChange) {
  const Arguments off = {"--fuse", "off"}, epochs = {"--epochs", "3"};
  ASSERT_EQ(program.run(small_run("whole") + off + epochs).code, 0);
  ASSERT_EQ(program.run(small_run("run") + off).code, 0);
  const Result changed = program.run({"train", "--resume", "run", "--fuse", "on"});
  EXPECT_EQ(changed.code, 2) << changed;
  EXPECT_TRUE(says(changed.err, {"--fuse"}));
  const Result resumed = program.run(Arguments{"train", "--resume", "run"} + epochs);
  ASSERT_EQ(resumed.code, 0) << resumed;
  EXPECT_TRUE(bytes("run/checkpoint-last.safetensors") == bytes("whole/checkpoint-last.safetensors"));
  const auto config = bytes("run/config.toml");
  EXPECT_TRUE(says(std::string(config.begin(), config.end()), {"fuse = false"}));
}

TEST_F(Run, KilledAtAnyMomentGoesOnToTheSameBits) {
  ASSERT_EQ(program.run(small_run("whole") + Arguments{"--checkpoint-every", "3"}).code, 0);
  for (const char* moment : {"config.toml", "checkpoint-last.safetensors", "checkpoint-00000009.safetensors",
                             "checkpoint-00000021.safetensors"}) {
    const std::string run = std::string("killed-at-") + moment;
    const Result killed =
        program.run_until(run + "/" + moment, SIGKILL, small_run(run) + Arguments{"--checkpoint-every", "3"});
    ASSERT_TRUE(killed.code == 128 + SIGKILL || killed.code == 0) << killed;  // it may have been faster
    const Result resumed = program.run({"train", "--resume", run});
    ASSERT_EQ(resumed.code, 0) << moment << resumed;
    EXPECT_TRUE(bytes(run + "/checkpoint-last.safetensors") == bytes("whole/checkpoint-last.safetensors")) << moment;
    EXPECT_TRUE(bytes(run + "/checkpoint-best.safetensors") == bytes("whole/checkpoint-best.safetensors")) << moment;
    EXPECT_EQ(logged_steps(run), logged_steps("whole")) << moment;
  }
}

TEST_F(Run, AnInterruptSavesAndExits130) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string run = "run" + std::to_string(signal);
    const Arguments arguments = small_run(run) + Arguments{"--epochs", "100000", "--checkpoint-hist", "0"};
    const Result result = program.run_until(run + "/checkpoint-00000011.safetensors", signal, arguments);
    EXPECT_EQ(result.code, 130) << result;
    EXPECT_TRUE(says(result.err, {"saved", "--resume " + run}));
    const std::vector<size_t> steps = logged_steps(run);
    EXPECT_EQ(steps, first_steps(steps.size()));
    const auto file = io::read_safetensors(program / (run + "/checkpoint-last.safetensors"));
    EXPECT_EQ(file.metadata.at("step"), std::to_string(steps.size()));
  }
}

TEST_F(Run, AFinishedRunSaysSoUnlessEpochsAreRaised) {
  ASSERT_EQ(program.run(small_run("run")).code, 0);
  const Result finished = program.run({"train", "--resume", "run"});
  EXPECT_EQ(finished.code, 0) << finished;
  EXPECT_TRUE(says(finished.out, {"finished", "2 epochs"}));
  const Result raised = program.run({"train", "--resume", "run", "--epochs", "3"});
  EXPECT_EQ(raised.code, 0) << raised;
  ASSERT_EQ(program.run(small_run("whole") + Arguments{"--epochs", "3"}).code, 0);
  EXPECT_EQ(bytes("run/checkpoint-last.safetensors"), bytes("whole/checkpoint-last.safetensors"));
  EXPECT_EQ(logged_steps("run"), first_steps(33));
}

TEST_F(Run, ResumingRefusesAnotherModelBatchOrData) {
  ASSERT_EQ(program.run(small_run("run")).code, 0);
  for (const Arguments& change : {Arguments{"--dim", "16"},
                                  {"--model", "tiny"},
                                  {"--batch-size", "4"},
                                  {"--data", "mnist"},
                                  {"--digits-seed", "1"},
                                  {"--train-samples", "50"},
                                  {"--seed", "1"},
                                  {"--epochs", "1"},
                                  {"--output", "elsewhere"},
                                  {"--overwrite"}}) {
    const Result result = program.run(Arguments{"train", "--resume", "run"} + change);
    EXPECT_EQ(result.code, 2) << change[0] << result;
    EXPECT_TRUE(says(result.err, {change[0]}));
  }
  EXPECT_EQ(program.run({"train", "--resume", "run", "--batch-size", "8", "--dim", "8"}).code, 0);  // no change
}

TEST_F(Run, ANaNStopsItWithTheLastGoodStateKept) {
  const Result result = program.run(small_run("run") + Arguments{"--lr", "1e38", "--epochs", "50"});
  EXPECT_EQ(result.code, 5) << result;
  EXPECT_TRUE(says(result.err, {"loss", "step", "epoch", "checkpoint-last.safetensors", "--lr"}));
  EXPECT_EQ(program.run({"eval", "run/checkpoint-last.safetensors", "--test-samples", "10"}).code, 0);
}

TEST_F(Run, EvalAndPredictReadItsCheckpoints) {
  ASSERT_EQ(program.run(small_run("run")).code, 0);
  const Result eval =
      program.run({"eval", "run/checkpoint-last.safetensors", "--data", "digits", "--test-samples", "20", "--json"});
  ASSERT_EQ(eval.code, 0) << eval;
  std::ifstream metrics(program / "run/metrics.jsonl");
  std::string line, last;
  while (std::getline(metrics, line)) last = line;
  EXPECT_EQ(json::parse(eval.out).at("test_accuracy"), json::parse(last).at("test_accuracy"));
  EXPECT_NEAR(json::parse(eval.out).at("test_loss").get<double>(), json::parse(last).at("test_loss").get<double>(),
              1e-6);

  EXPECT_EQ(json::parse(eval.out).at("top_k").at("k"), 5);
  EXPECT_EQ(json::parse(eval.out).at("confusion").size(), 10U);
  EXPECT_EQ(json::parse(eval.out).at("calibration").at("bins").size(), 15U);
  const Result table = program.run({"eval", "run/checkpoint-last.safetensors", "--test-samples", "20", "--topk", "2"});
  EXPECT_TRUE(says(table.out, {"test accuracy", "top 2", "calibration", "PRECISION", "TAKEN FOR"}));
  const Result csv = program.run({"eval", "run/checkpoint-last.safetensors", "--test-samples", "20", "--csv"});
  EXPECT_TRUE(says(
      csv.out,
      {"class,name,images,predicted,correct,precision,recall,f1,top 5 accuracy,calibration error,test loss,taken for 0",
       "\n9,9,", "\nall,,20,20,"}));
  EXPECT_EQ(program.run({"eval", "run/checkpoint-last.safetensors", "--csv", "--json"}).code, 2);

  io::write_png(program / "a.png", {.width = 28, .height = 28, .channels = 1, .pixels = std::vector<uint8_t>(784, 7)});
  io::write_png(program / "b.png", {.width = 3, .height = 5, .channels = 3, .pixels = std::vector<uint8_t>(45, 200)});
  const Result predict = program.run({"predict", "run/checkpoint-best.safetensors", "a.png", "b.png", "--json"});
  ASSERT_EQ(predict.code, 0) << predict;
  const json list = json::parse(predict.out);
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[1].at("image"), "b.png");
  double sum = 0;
  for (const json& probability : list[0].at("probabilities")) sum += probability.get<double>();
  EXPECT_NEAR(sum, 1, 1e-5);

  const Result masked =
      program.run({"predict", "run/checkpoint-best.safetensors", "a.png", "--json", "--patch-mask", "1000"});
  EXPECT_EQ(masked.code, 0) << masked;
  EXPECT_NE(json::parse(masked.out)[0].at("probabilities"), list[0].at("probabilities"));
  EXPECT_EQ(program.run({"predict", "run/checkpoint-best.safetensors", "a.png", "--patch-mask", "10"}).code, 2);
}

TEST_F(Run, ADiskThatFillsDuringASaveLosesNothing) {
  const Arguments larger = {"--mlp-dim", "20000"};  // checkpoints are larger than what drivers write
  ASSERT_EQ(program.run(small_run("whole") + larger).code, 0);
  ASSERT_EQ(program.run(small_run("run") + larger + Arguments{"--epochs", "1"}).code, 0);
  const std::vector<uint8_t> before = bytes("run/checkpoint-last.safetensors");
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(program / "run")) files.insert(entry.path().filename());
  program.most_file_bytes = before.size() / 2;
  const Result stopped = program.run({"train", "--resume", "run", "--epochs", "2"});
  EXPECT_EQ(stopped.code, 6) << stopped;
  EXPECT_TRUE(says(stopped.err, {"can't save run/checkpoint-", "File too large", "Free some space"}));
  EXPECT_TRUE(bytes("run/checkpoint-last.safetensors") == before);
  for (const auto& entry : std::filesystem::directory_iterator(program / "run"))
    EXPECT_TRUE(files.contains(entry.path().filename())) << entry.path();
  program.most_file_bytes = RLIM_INFINITY;
  ASSERT_EQ(program.run({"train", "--resume", "run", "--epochs", "2"}).code, 0);
  EXPECT_TRUE(bytes("run/checkpoint-last.safetensors") == bytes("whole/checkpoint-last.safetensors"));
}

TEST_F(Run, EvalTakesTheDigitsThatItWasTrainedOn) {
  ASSERT_EQ(program.run(small_run("run") + Arguments{"--digits-seed", "5"}).code, 0);
  const Arguments eval = {"eval", "run/checkpoint-last.safetensors", "--test-samples", "20", "--json"};
  const auto loss = [&](const Arguments& more) {
    return json::parse(program.run(eval + more).out).at("test_loss").get<double>();
  };
  EXPECT_EQ(loss({}), loss({"--digits-seed", "5"}));
  EXPECT_NE(loss({}), loss({"--digits-seed", "0"}));
}

TEST_F(Run, MasksAreKeptForEvaluation) {
  const Result result = program.run(small_run("run") + Arguments{"--patch-mask", "0110"});
  ASSERT_EQ(result.code, 0) << result;
  const auto file = io::read_safetensors(program / "run/checkpoint-last.safetensors");
  EXPECT_EQ(file.metadata.at("patch_mask"), "0110");
  EXPECT_EQ(program.run({"eval", "run/checkpoint-last.safetensors", "--test-samples", "10"}).code, 0);
}

}  // namespace
}  // namespace vitcl::test
