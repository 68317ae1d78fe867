// Runs on pictures of one's own, from the folder to the prediction.
#include "program.hpp"
#include "support/errors.hpp"
#include "vitcl/io/image.hpp"

namespace vitcl::test {
namespace {

class OwnPictures : public ProgramTest {
 protected:
  OwnPictures() {
    for (const std::string name : {"dark", "light"})
      for (uint8_t i = 0; i < 12; ++i) {
        std::filesystem::create_directories(program / ("pictures/" + name));
        const auto value = static_cast<uint8_t>(i + (name == "light" ? 200 : 20));
        io::write_png(program / ("pictures/" + name + "/" + std::to_string(i) + ".png"),
                      {.width = 16, .height = 14, .channels = 3, .pixels = std::vector<uint8_t>(16 * 14 * 3, value)});
      }
  }
  static Arguments run_of(const std::string& output) {
    return {"train", "--data",   "pictures", "--val-split", "0.25", "--batch-size", "4", "--patch-size",
            "7",     "--dim",    "8",        "--depth",     "1",    "--heads",      "2", "--mlp-dim",
            "8",     "--epochs", "3",        "--output",    output};
  }
};

TEST_F(OwnPictures, AreTrainedOnMeasuredAndPredicted) {
  const Result trained = program.run(run_of("run"));
  ASSERT_EQ(trained.code, 0) << trained;
  EXPECT_TRUE(says(trained.err, {"18 training and 6 test images", "pictures in"}));
  const auto config = bytes("run/config.toml");
  EXPECT_TRUE(says(std::string(config.begin(), config.end()),
                   {"image-size = 14\n", "channels = 3\n", "classes = 2\n", "val-split = 0.25\n"}));
  const Result measured = program.run({"eval", "run/checkpoint-last.safetensors", "--val-split", "0.25"});
  ASSERT_EQ(measured.code, 0) << measured;
  EXPECT_TRUE(says(measured.out, {"6 images"}));
  const Result predicted = program.run({"predict", "run/checkpoint-last.safetensors", "pictures/dark/3.png"});
  ASSERT_EQ(predicted.code, 0) << predicted;
  EXPECT_TRUE(says(predicted.out, {"dark", "light"}));
}

TEST_F(OwnPictures, ArePreviewedAsTrainingReadsThem) {
  const Result drawn = program.run({"data", "preview", "--data", "pictures", "--val-split", "0.25", "--images", "2",
                                    "--epochs", "1", "--output", "preview.png"});
  ASSERT_EQ(drawn.code, 0) << drawn;
  const io::Image preview = io::read_png(program / "preview.png");
  EXPECT_EQ(preview.channels, 3U);
  constexpr size_t cell = 14 * 4, gap = 4;  // 14 pixels, four times as large
  EXPECT_EQ(preview.width, 2 * (cell + gap) + gap);
  EXPECT_EQ(preview.height, 2 * (cell + gap) + gap);
}

TEST_F(OwnPictures, GoOnWhereTheyAreAndNotWhereTheyChanged) {
  ASSERT_EQ(program.run(run_of("whole")).code, 0);
  ASSERT_EQ(program.run(run_of("run") + Arguments{"--epochs", "2"}).code, 0);
  const std::string picture = program / "pictures/dark/3.png";
  const std::vector<uint8_t> before = read_file(picture);
  io::write_png(picture, {.width = 1, .height = 1, .channels = 3, .pixels = {9, 9, 9}});
  const Result changed = program.run({"train", "--resume", "run", "--epochs", "3"});
  EXPECT_EQ(changed.code, 3) << changed;
  EXPECT_TRUE(says(changed.err, {"fingerprint"}));
  write_file(picture, before);
  ASSERT_EQ(program.run({"train", "--resume", "run", "--epochs", "3"}).code, 0);
  EXPECT_TRUE(bytes("run/checkpoint-last.safetensors") == bytes("whole/checkpoint-last.safetensors"));
}

TEST_F(OwnPictures, AreLeftOutWhereTheyCannotBeRead) {
  write_file(program / "pictures/dark/3.png", std::vector<uint8_t>{1, 2, 3});
  const Result trained = program.run(run_of("run") + Arguments{"--epochs", "1"});
  ASSERT_EQ(trained.code, 0) << trained;
  EXPECT_TRUE(says(trained.err, {"skipped: ", "dark/3.png", "1 picture can't be read", "--strict"}));
  const Result resumed = program.run({"train", "--resume", "run", "--epochs", "2"});
  EXPECT_EQ(resumed.code, 0) << resumed;
  EXPECT_TRUE(says(program.run({"eval", "run/checkpoint-last.safetensors"}).err, {"1 picture can't be read"}));
  const Result refused = program.run(run_of("strict") + Arguments{"--strict"});
  EXPECT_EQ(refused.code, 3) << refused;
  EXPECT_TRUE(says(refused.err, {"can't read the image", "dark/3.png"}));
  EXPECT_FALSE(std::filesystem::exists(program / "strict"));
}

TEST_F(OwnPictures, AreStreamedWhereTheyDoNotFit) {
  ASSERT_EQ(program.run(run_of("whole")).code, 0);
  const Arguments limit{"--data-memory", "0.006", "--workers", "2"};
  const Result streamed = program.run(run_of("run") + limit);
  ASSERT_EQ(streamed.code, 0) << streamed;
  EXPECT_TRUE(says(streamed.err, {"decoded whenever they are wanted"}));
  EXPECT_TRUE(bytes("run/checkpoint-last.safetensors") == bytes("whole/checkpoint-last.safetensors"));
}

}  // namespace
}  // namespace vitcl::test
