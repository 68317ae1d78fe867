// Training that starts from weights of a file.
#include <fmt/format.h>

#include "program.hpp"
#include "support/errors.hpp"
#include "vitcl/data/digits.hpp"
#include "vitcl/io/image.hpp"
#include "vitcl/io/pretrained.hpp"
#include "vitcl/io/safetensors.hpp"

namespace vitcl::test {
namespace {

namespace fs = std::filesystem;

class FineTuning : public ProgramTest {
 protected:
  static constexpr const char* last = "checkpoint-last.safetensors";
  static constexpr const char* first = "checkpoint-00000000.safetensors";

  Result fine_tune(const std::string& output, const Arguments& rest) {
    return program.run(Arguments{"train", "--data", "digits", "--train-samples", "40", "--test-samples", "10",
                                 "--batch-size", "8", "--epochs", "1", "--output", output} +
                       rest);
  }
  /// Writes a model of timm's for five classes, of images of 12 x 12 pixels in 3 channels.
  io::Pretrained write_timm(const std::string& file) {
    io::Pretrained written{.model = {.image_size = 12,
                                     .patch_size = 4,
                                     .channels = 3,
                                     .classes = 5,
                                     .dim = 8,
                                     .depth = 1,
                                     .heads = 2,
                                     .mlp_dim = 8,
                                     .head = models::Head::linear,
                                     .scale = models::AttentionScale::head_dim,
                                     .qkv_bias = true,
                                     .final_norm = true,
                                     .norm_epsilon = 1e-6F}};
    for (const nn::ParameterSpec& spec : models::vit_graph(written.model).parameters())
      written.parameters[spec.name].assign(spec.shape.elements(), 0.125F);
    io::write_pretrained(program / file, io::Dialect::timm, written);
    return written;
  }
  nn::NamedTensors weights(const std::string& file) { return io::read_pretrained(program / file).parameters; }

  /// Folders of pictures, train/CLASS and val/CLASS, of the built-in digits from `low` on, five classes.
  void write_digits(const std::string& folder, int low, size_t train, size_t test) {
    const data::Dataset digits = data::draw_digits(1, train, test);
    for (const auto& [split, name] : {std::pair(&digits.train, "train"), std::pair(&digits.test, "val")})
      for (size_t i = 0; i < split->count; ++i) {
        const int label = split->labels[i];
        if (label < low || label >= low + 5) continue;
        const fs::path path = program / fmt::format("{}/{}/{}", folder, name, label);
        fs::create_directories(path);
        io::Image image{split->side, split->side, 1, std::vector<uint8_t>(split->image_bytes())};
        split->read(i, image.pixels);
        io::write_png(path / fmt::format("{}.png", i), image);
      }
  }

  double accuracy(const Result& result) {
    EXPECT_EQ(result.code, 0) << result;
    const size_t at = result.out.find("test accuracy");
    return at == std::string::npos ? 0 : std::stod(result.out.substr(at + std::string("test accuracy").size()));
  }
};

TEST_F(FineTuning, StartsFromACheckpointAndItsAverage) {
  ASSERT_EQ(program.run(small_run("run") + Arguments{"--model-ema", "on", "--model-ema-decay", "0.9"}).code, 0);
  const std::string file = "run/" + std::string(last);
  const Result same = fine_tune("same", {"--initial-checkpoint", file});
  ASSERT_EQ(same.code, 0) << same;
  EXPECT_TRUE(says(same.err, {"weights ", last, "the moving average"}));
  EXPECT_EQ(weights("same/" + std::string(first)), weights(file)) << "and not the parameters";
  EXPECT_NE(weights("same/" + std::string(last)), weights(file));

  const Result other = fine_tune("other", {"--initial-checkpoint", file, "--classes", "12", "--model-ema", "on",
                                           "--freeze", "patch_embedding.*,tokens.*,blocks.*"});
  ASSERT_EQ(other.code, 0) << other;
  EXPECT_TRUE(says(other.err, {"a new head, for 12 classes instead of 10"}));
  const nn::NamedTensors before = weights(file), drawn = weights("other/" + std::string(first)),
                         after = weights("other/" + std::string(last));
  for (const auto& [name, values] : after) EXPECT_EQ(values == drawn.at(name), !name.starts_with("head")) << name;
  for (const auto& [name, values] : before) EXPECT_EQ(values == drawn.at(name), !name.starts_with("head")) << name;
}

TEST_F(FineTuning, AnInterruptedRunGoesOnWithoutTheFile) {
  ASSERT_EQ(program.run(small_run("run")).code, 0);
  fs::rename(program / "run" / last, program / "initial.safetensors");
  const Arguments tuned{"--initial-checkpoint", "initial.safetensors", "--layer-decay", "0.5"};
  ASSERT_EQ(fine_tune("whole", tuned + Arguments{"--epochs", "2"}).code, 0);
  ASSERT_EQ(fine_tune("parts", tuned).code, 0);
  const nn::NamedTensors wanted = weights("whole/" + std::string(last));
  for (const char* name : {first, "checkpoint-00000005.safetensors", "checkpoint-00000010.safetensors", last,
                           "checkpoint-best.safetensors"})
    fs::remove(program / "whole" / name);
  const Result again = program.run({"train", "--resume", "whole"});
  ASSERT_EQ(again.code, 0) << again;
  EXPECT_TRUE(says(again.err, {"initial.safetensors"})) << "as if killed before it saved anything";
  EXPECT_EQ(weights("whole/" + std::string(last)), wanted);
  fs::remove(program / "initial.safetensors");
  const Result resumed = program.run({"train", "--resume", "parts", "--epochs", "2"});
  ASSERT_EQ(resumed.code, 0) << resumed;
  EXPECT_EQ(weights("parts/" + std::string(last)), wanted);
}

TEST_F(FineTuning, RefusesAnotherModel) {
  ASSERT_EQ(program.run(small_run("run")).code, 0);
  const std::string file = "run/" + std::string(last);
  const Result dim = fine_tune("no", {"--initial-checkpoint", file, "--dim", "16"});
  EXPECT_EQ(dim.code, 2) << dim;
  EXPECT_TRUE(says(dim.err, {"dim 8, not 16", "leave out --dim"}));
  const Result preset = fine_tune("no", {"--initial-checkpoint", file, "--model", "tiny"});
  EXPECT_EQ(preset.code, 2) << preset;
  EXPECT_TRUE(says(preset.err, {"leave out --model"}));
  EXPECT_EQ(fine_tune("no", {"--initial-checkpoint", file, "--dim", "8"}).code, 0) << "what agrees is no contradiction";
  const Result missing = fine_tune("none", {"--initial-checkpoint", "nowhere.safetensors"});
  EXPECT_EQ(missing.code, 6) << missing;
  EXPECT_TRUE(says(missing.err, {"nowhere.safetensors"}));
  EXPECT_FALSE(fs::exists(program / "none"));
}

TEST_F(FineTuning, FitsPositionsAndChannelsToTheImages) {
  const io::Pretrained timm = write_timm("timm.safetensors");
  EXPECT_EQ(fine_tune("run", {"--initial-checkpoint", "timm.safetensors"}).code, 2) << "the heads are not known";
  const Result result = fine_tune("run", {"--initial-checkpoint", "timm.safetensors", "--heads", "2"});
  ASSERT_EQ(result.code, 0) << result;
  EXPECT_TRUE(says(result.err, {"timm", "positions resized from 3 x 3 to 7 x 7 patches", "summed from 3 to 1 channel",
                                "a new head, for 10 classes instead of 5"}));
  const nn::NamedTensors start = weights("run/" + std::string(first));
  for (const float weight : start.at("patch_embedding.weight")) EXPECT_EQ(weight, 0.375F);

  write_digits("pictures", 0, 60, 30);
  const Result pictures = program.run({"train", "--data", "pictures", "--initial-checkpoint", "timm.safetensors",
                                       "--heads", "2", "--epochs", "1", "--output", "pictures-run"});
  ASSERT_EQ(pictures.code, 0) << pictures;
  EXPECT_EQ(weights("pictures-run/" + std::string(first)), timm.parameters) << "pictures are made what the model reads";
}

TEST_F(FineTuning, GivesABackboneAHead) {
  const std::string file = "backbone.safetensors";
  const nn::NamedTensors parameters = write_timm(file).parameters;
  io::SafeTensors backbone = io::read_safetensors(program / file);
  EXPECT_EQ(std::erase_if(backbone.tensors, [](const auto& entry) { return entry.first.starts_with("head."); }), 2U);
  io::write_safetensors(program / file, backbone);

  const Result shown = program.run({"model", "--checkpoint", file, "--heads", "2"});
  EXPECT_EQ(shown.code, 0) << shown;
  EXPECT_TRUE(says(shown.out, {"timm, without a classifier", "patch_embed.proj.weight"}));
  EXPECT_EQ(shown.out.find("head.weight"), std::string::npos) << shown;
  for (const char* format : {"timm", "onnx"}) {
    const Result refused = program.run({"export", file, "--heads", "2", "--format", format, "--output", "exported"});
    EXPECT_EQ(refused.code, 2) << refused;
    EXPECT_TRUE(says(refused.err, {"no classifier", "--initial-checkpoint"}));
    EXPECT_FALSE(fs::exists(program / "exported"));
  }

  const Result result = fine_tune("run", {"--initial-checkpoint", file, "--heads", "2"});
  ASSERT_EQ(result.code, 0) << result;
  EXPECT_TRUE(says(result.err, {"a new head, for 10 classes; the file has none"}));
  const nn::NamedTensors start = weights("run/" + std::string(first));
  EXPECT_EQ(start.at("blocks.0.qkv.weight"), parameters.at("blocks.0.qkv.weight"));
  const std::vector<float>& head = start.at("head.weight");
  EXPECT_EQ(head.size(), 80U);
  EXPECT_NE(head, std::vector<float>(80)) << "drawn, not what stood in for it while the file was read";
}

// What it is for: five digits are learned better from few images where the other five were learned before.
TEST_F(FineTuning, LearnsFromFewImagesWhatTrainingFromScratchDoesNot) {
  write_digits("first-half", 0, 4000, 20);
  write_digits("second-half", 5, 250, 1000);
  ASSERT_EQ(program
                .run({"train", "--data", "first-half", "--output", "first", "--depth", "2", "--dim", "32", "--heads",
                      "4", "--mlp-dim", "64", "--batch-size", "50", "--epochs", "8", "--quiet"})
                .code,
            0);
  const Arguments second{"train", "--data",   "second-half", "--batch-size", "10", "--lr",
                         "0.001", "--epochs", "5",           "--quiet"};
  const Result tuned =
      program.run(second + Arguments{"--output", "tuned", "--initial-checkpoint", "first/" + std::string(last)});
  const Result scratch = program.run(
      second + Arguments{"--output", "scratch", "--depth", "2", "--dim", "32", "--heads", "4", "--mlp-dim", "64"});
  EXPECT_GT(accuracy(tuned), accuracy(scratch) + 5);
}

TEST_F(FineTuning, AlsoWhereGradientsAreSummed) {
  ASSERT_EQ(program.run(small_run("run")).code, 0);
  const std::string file = "run/" + std::string(last);
  // Accumulation is what several devices run, on one.
  const Result result =
      fine_tune("sum", {"--initial-checkpoint", file, "--grad-accum-steps", "2", "--model-ema", "on"});
  ASSERT_EQ(result.code, 0) << result;
  EXPECT_EQ(weights("sum/" + std::string(first)), weights(file));
  EXPECT_NE(weights("sum/" + std::string(last)), weights(file));
}

}  // namespace
}  // namespace vitcl::test
