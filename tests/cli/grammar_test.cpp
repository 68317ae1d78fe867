// What the command line accepts, and what it says to what it does not: exit 2 before anything else is looked at.
#include "program.hpp"
#include "support/errors.hpp"

namespace vitcl::test {
namespace {

constexpr int usage = 2;

TEST(Grammar, HelpAndVersionAreResults) {
  Program program;
  for (const Arguments& arguments : {Arguments{"--help"},
                                     {"train", "--help"},
                                     {"eval", "--help"},
                                     {"predict", "-h"},
                                     {"verify", "--help"},
                                     {"model", "--help"},
                                     {"tune", "--help"},
                                     {"devices", "--help"},
                                     {"bench", "--help"},
                                     {"doctor", "--help"}}) {
    const Result result = program.run(arguments);
    EXPECT_EQ(result.code, 0) << result;
    EXPECT_TRUE(says(result.out, {"Usage: vitcl"}));
    for (const char* raw : {"Excludes:", "Needs:", "REQUIRED"}) EXPECT_EQ(result.out.find(raw), std::string::npos);
    EXPECT_EQ(result.err, "");
  }
  const Result version = program.run({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_TRUE(version.out.starts_with("vitcl ")) << version;
}

TEST(Grammar, EveryMistakeIsAUsageError) {
  Program program;
  for (const Arguments& arguments : {Arguments{},
                                     {"dance"},
                                     {"--dance"},
                                     {"train", "--dance"},
                                     {"train", "stray"},
                                     {"train", "--epochs"},
                                     {"train", "--epochs", "many"},
                                     {"train", "--epochs", "0"},
                                     {"train", "--batch-size", "-1"},
                                     {"train", "--lr", "fast"},
                                     {"train", "--model", "huge"},
                                     {"train", "--heads", "7"},
                                     {"train", "--dim", "0"},
                                     {"train", "--pool", "max"},
                                     {"train", "--recompute", "perhaps"},
                                     {"train", "--recompute", "on", "off"},
                                     {"train", "--fuse", "perhaps"},
                                     {"train", "--fuse", "on", "off"},
                                     {"train", "--recipe", "secret"},
                                     {"train", "--patch-mask", "01"},
                                     {"train", "--mask-ratio", "1.5"},
                                     {"train", "--patch-size", "16", "--pad", "error"},
                                     {"train", "--config", "missing.toml"},
                                     {"devices", "extra"},
                                     {"doctor", "extra"},
                                     {"doctor", "--time-limit", "0"},
                                     {"doctor", "--profile"},
                                     {"eval"},
                                     {"predict"},
                                     {"predict", "checkpoint-without-image"},
                                     {"verify"},
                                     {"verify", "bundle.safetensors", "--fuse", "perhaps"},
                                     {"model", "--batch-size", "0"},
                                     {"model", "--heads", "5"},
                                     {"model", "--fuse", "perhaps"},
                                     {"--profile", "model"}}) {
    const Result result = program.run(arguments);
    EXPECT_EQ(result.code, usage) << testing::PrintToString(arguments) << result;
    EXPECT_TRUE(result.err.starts_with("vitcl: ")) << result;
    EXPECT_EQ(result.out, "");
  }
}

TEST(Grammar, FlagsAreCheckedBeforeDataAndDevice) {
  Program program;
  const Result result = program.run({"train", "--data", "nowhere", "--device", "nothing", "--epochs", "0"});
  EXPECT_EQ(result.code, usage) << result;
  EXPECT_TRUE(says(result.err, {"--epochs"}));
}

TEST(Grammar, HeadsThatDoNotDivideDimAreNamed) {
  Program program;
  EXPECT_TRUE(says(program.run({"train", "--heads", "7"}).err, {"heads", "7", "64"}));
}

TEST(Grammar, AFileWithAnUnknownKeyIsRefused) {
  Program program;
  std::ofstream(program / "c.toml") << "epochs = 3\ncolour = \"red\"\n";
  const Result result = program.run({"train", "--config", "c.toml"});
  EXPECT_EQ(result.code, usage) << result;
  EXPECT_TRUE(says(result.err, {"c.toml", "colour"}));
}

TEST(Grammar, TheNearestNameIsTold) {
  Program program;
  const auto says_of = [&](const Arguments& arguments, std::initializer_list<std::string_view> words) {
    const Result result = program.run(arguments);
    EXPECT_EQ(result.code, usage) << result;
    EXPECT_TRUE(says(result.err, words)) << result;
  };
  says_of({"train", "--epohcs", "3"}, {"--epohcs", "did you mean --epochs?"});
  says_of({"train", "--batch=3"}, {"did you mean --batch-size?"});
  says_of({"trane", "--epochs", "3"}, {"did you mean train?"});
  says_of({"data", "fecth", "mnist"}, {"did you mean fetch?"});
  std::ofstream(program / "c.toml") << "[train]\nbatch_sise = 3\n";
  says_of({"train", "--config", "c.toml"}, {"c.toml", "batch_sise", "the nearest is batch-size"});
  std::ofstream(program / "c.toml") << "[trian]\nepochs = 3\n";
  says_of({"train", "--config", "c.toml"}, {"c.toml", "trian", "the nearest is train"});
}

TEST(Grammar, ASectionHasOptionsOfItsCommandAlone) {
  Program program;
  std::ofstream(program / "c.toml") << "[train]\ntopk = 3\n";
  const Result result = program.run({"train", "--config", "c.toml"});
  EXPECT_EQ(result.code, usage) << result;
  EXPECT_TRUE(says(result.err, {"c.toml", "train.topk"}));
}

TEST(Grammar, ModelPrintsTheArticlesParameters) {
  Program program;
  const Result text = program.run({"model", "--model", "article", "--batch-size", "100"});
  EXPECT_EQ(text.code, 0) << text;
  EXPECT_TRUE(says(text.out, {"213,642", "blocks.5.qkv", "(100, 17, 192)"}));
  const Result json = program.run({"model", "--json"});
  const auto document = nlohmann::json::parse(json.out);
  EXPECT_EQ(document.at("parameters"), 213642);
  EXPECT_LT(document.at("recompute").at("planned_bytes"), document.at("planned_bytes"));
  const Result dot = program.run({"model", "--dot"});
  EXPECT_TRUE(dot.out.starts_with("digraph")) << dot;
}

TEST(Grammar, ModelPrintsTheMemoryOfPlainLayersToo) {
  Program program;
  const auto model = [&](const std::string& fuse) {
    const Result result = program.run({"model", "--json", "--fuse", fuse});
    EXPECT_EQ(result.code, 0) << result;
    return nlohmann::json::parse(result.out);
  };
  const auto fused = model("on"), plain = model("off");
  EXPECT_LT(fused.at("planned_bytes"), plain.at("planned_bytes")) << "rows that nobody reads take none";
  EXPECT_EQ(fused.at("layers"), plain.at("layers")) << "the layers as they are written";
}

TEST(Grammar, ModelOptionsChangeTheModel) {
  Program program;
  const auto parameters = [&](const Arguments& options) {
    const Result result = program.run(Arguments{"model", "--json"} + options);
    EXPECT_EQ(result.code, 0) << result;
    return nlohmann::json::parse(result.out).at("parameters").get<size_t>();
  };
  EXPECT_EQ(parameters({"--pool", "mean"}), 213642U - 2 * 64);                // no class token, nor its position
  EXPECT_EQ(parameters({"--head", "linear"}), 213642U - 128 * 65 - 10 * 64);  // one layer of 64 x 10
  EXPECT_EQ(parameters({"--position", "sincos"}), 213642U - 17 * 64);
  EXPECT_EQ(parameters({"--qkv-bias", "on"}), 213642U + 6 * 192);
  EXPECT_EQ(parameters({"--patch-size", "16"}), 213642U + (256 - 49) * 64 - 12 * 64);
}

}  // namespace
}  // namespace vitcl::test
