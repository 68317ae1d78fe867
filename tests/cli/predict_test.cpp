// Pictures of every origin, and every way to show what they are taken for.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "program.hpp"
#include "support/errors.hpp"
#include "train/example_checkpoint.hpp"
#include "vitcl/io/image.hpp"

namespace vitcl::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// A model of three classes that was trained on 8 x 8 pixels, light on dark, and pictures for it.
class Predict : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    train::Checkpoint checkpoint = example_checkpoint();
    size_t i = 0;
    for (auto& [name, values] : checkpoint.parameters)
      for (float& value : values) value = static_cast<float>(std::sin(static_cast<double>(++i)));
    checkpoint.class_names = {"one", "two, or so", "\x1b[31mred"};
    train::save_checkpoint({program / "model.safetensors"}, checkpoint);
    fs::create_directories(program / "folder/inner");
    io::write_png(program / "dark.png", square(12, 0));
    io::write_png(program / "light.png", square(12, 255));
    fs::copy(program / "dark.png", program / "folder/b.png");
    fs::copy(program / "dark.png", program / "folder/inner/a.PNG");
    std::ofstream(program / "folder/notes.txt") << "no picture";
    fs::create_symlink(program / "dark.png", program / "folder/linked.png");
  }

  /// A ground with a patch of the opposite brightness on it.
  static io::Image square(size_t side, uint8_t ground) {
    io::Image image{side, side, 1, std::vector<uint8_t>(side * side, ground)};
    for (size_t y = side / 3; y < side / 2; ++y)
      for (size_t x = side / 3; x < side / 3 * 2; ++x) image.pixels[y * side + x] = static_cast<uint8_t>(255 - ground);
    return image;
  }

  Result predict(const Arguments& rest) { return program.run(Arguments{"predict", "model.safetensors"} + rest); }
  json predicted(const Arguments& rest) {
    const Result result = predict(rest + Arguments{"--json"});
    EXPECT_EQ(result.code, 0) << result;
    return json::parse(result.out);
  }
};

TEST_F(Predict, ShowsTheMostProbableClasses) {
  const json list = predicted({"dark.png", "--topk", "2"});
  ASSERT_EQ(list.size(), 1U);
  const json& top = list[0].at("top");
  ASSERT_EQ(top.size(), 2U);
  EXPECT_GE(top[0].at("probability").get<double>(), top[1].at("probability").get<double>());
  EXPECT_EQ(top[0].at("class"), list[0].at("class"));
  EXPECT_EQ(list[0].at("probabilities").size(), 3U);
  const Result table = predict({"dark.png", "--topk", "7"});
  EXPECT_TRUE(says(table.out, {"IMAGE", "dark.png", "one", "two, or so", "?[31mred", " %"}));
  EXPECT_EQ(table.out.find('\x1b'), std::string::npos);
  const Result csv = predict({"dark.png", "--csv"});
  EXPECT_TRUE(says(csv.out, {"image,inverted,class_1,name_1,probability_1", "dark.png,0,", "\"two, or so\""}));
}

TEST_F(Predict, TakesFoldersAndStandardInput) {
  const json list = predicted({"folder", "light.png"});
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0].at("image"), "folder/b.png");
  EXPECT_EQ(list[1].at("image"), "folder/inner/a.PNG");
  EXPECT_EQ(list[0].at("probabilities"), list[1].at("probabilities"));

  const std::string folder = (program / "").string();
  const std::string command = fmt::format(
      "cd '{}' && cat dark.png | '{}' predict model.safetensors - --json --quiet > out.json", folder, VITCL_PROGRAM);
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  const json piped = json::parse(std::ifstream(program / "out.json"));
  EXPECT_EQ(piped[0].at("image"), "-");
  EXPECT_EQ(piped[0].at("class"), list[0].at("class"));
}

TEST_F(Predict, SkipsWhatItCanNotReadInAFolderUnlessStrict) {
  std::ofstream(program / "folder/broken.png") << "noise";
  const Result skipped = predict({"folder", "--csv"});
  EXPECT_EQ(skipped.code, 0) << skipped;
  EXPECT_TRUE(says(skipped.err, {"skipped", "folder/broken.png", "1 of 3"}));
  const Result strict = predict({"folder", "--strict"});
  EXPECT_EQ(strict.code, 3) << strict;
  EXPECT_TRUE(says(strict.err, {"folder/broken.png"}));
  EXPECT_EQ(predict({"folder/broken.png"}).code, 3) << "a file that was named";
  EXPECT_EQ(predict({"nowhere.png"}).code, 3);
  fs::create_directory(program / "empty");
  EXPECT_EQ(predict({"empty"}).code, 3);
}

TEST_F(Predict, InvertsDarkOnLight) {
  const Result noted = predict({"light.png"});
  EXPECT_TRUE(says(noted.err, {"inverted 1 of 1 picture", "--invert off"}));
  const json list = predicted({"dark.png", "light.png"});
  EXPECT_FALSE(list[0].at("inverted"));
  EXPECT_TRUE(list[1].at("inverted"));
  EXPECT_EQ(list[0].at("probabilities"), list[1].at("probabilities"));
  EXPECT_NE(predicted({"light.png", "--invert", "off"})[0].at("probabilities"), list[1].at("probabilities"));
  EXPECT_EQ(predicted({"dark.png", "--invert", "on"})[0].at("probabilities"),
            predicted({"light.png", "--invert", "off"})[0].at("probabilities"));
}

TEST_F(Predict, DrawsAttention) {
  const Result result = predict({"light.png", "--attention", "seen.png"});
  ASSERT_EQ(result.code, 0) << result;
  const io::Image drawn = io::read_png(program / "seen.png");
  EXPECT_EQ(drawn.channels, 3U);
  const auto coloured = [&](size_t x, size_t y) {
    const uint8_t* pixel = drawn.pixels.data() + (y * drawn.width + x) * 3;
    return pixel[0] != pixel[1] || pixel[1] != pixel[2];
  };
  EXPECT_FALSE(coloured(drawn.width / 4, 100)) << "the picture itself";
  size_t seen = 0;
  for (size_t x = drawn.width / 2 + 10; x < drawn.width - 10; ++x) seen += coloured(x, 100) ? 1 : 0;
  EXPECT_GT(seen, 0U);
  EXPECT_EQ(predict({"light.png", "dark.png", "--attention", "seen.png"}).code, 2);
  EXPECT_EQ(predict({"light.png", "--attention", "no/such/folder.png"}).code, 6);
}

}  // namespace
}  // namespace vitcl::test
