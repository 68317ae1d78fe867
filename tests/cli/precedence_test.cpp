// Flag before environment before --config before default.
#include "program.hpp"
#include "support/errors.hpp"

namespace vitcl::test {
namespace {

class Precedence : public ::testing::Test {
 protected:
  /// The depth and width of the model that these arguments describe.
  std::pair<size_t, size_t> model(const Arguments& arguments) {
    const Result result = program.run(Arguments{"model", "--json"} + arguments);
    EXPECT_EQ(result.code, 0) << result;
    const auto config = nlohmann::json::parse(result.out).at("config");
    return {config.at("depth"), config.at("dim")};
  }
  void write_config(const std::string& text) { std::ofstream(program / "c.toml") << text; }

  Program program;
};
using Sizes = std::pair<size_t, size_t>;

TEST_F(Precedence, AFlagBeatsTheFile) {
  write_config("depth = 2\ndim = 16\n");
  EXPECT_EQ(model({"--config", "c.toml"}), Sizes(2, 16));
  EXPECT_EQ(model({"--config", "c.toml", "--depth", "3"}), Sizes(3, 16));
  EXPECT_EQ(model({}), Sizes(6, 64));
}

TEST_F(Precedence, APresetFlagBeatsTheFilesModel) {
  write_config("model = \"article\"\ndim = 16\nbatch-size = 2\n");
  EXPECT_EQ(model({"--config", "c.toml", "--model", "tiny"}), Sizes(12, 192));
}

TEST_F(Precedence, ARecipesModelYieldsToWhatIsBesideIt) {
  write_config("recipe = \"best\"\ndepth = 3\n");
  EXPECT_EQ(model({"--config", "c.toml"}), Sizes(3, 96));
  EXPECT_EQ(model({"--config", "c.toml", "--dim", "64"}), Sizes(3, 64));
  EXPECT_EQ(model({"--config", "c.toml", "--model", "article"}), Sizes(6, 64));
}

TEST_F(Precedence, SectionsAreForTheirCommand) {
  write_config("depth = 2\n[train]\ndepth = 4\n[model]\ndim = 16\n");
  EXPECT_EQ(model({"--config", "c.toml"}), Sizes(2, 16));
}

TEST_F(Precedence, KeysOfOtherCommandsAreLeftAlone) {
  write_config("# a comment\nlr = 0.1\noutput = \"somewhere\"\ndepth = 2\nmlp_dim = 32\n");
  EXPECT_EQ(model({"--config", "c.toml"}), Sizes(2, 64));
}

TEST_F(Precedence, TheDeviceComesFromFlagThenEnvironmentThenFile) {
  if (list_devices().empty()) GTEST_SKIP() << "no OpenCL device; install pocl-opencl-icd";
  write_config("device = \"from-the-file\"\n");
  const auto error = [&](const Arguments& arguments) { return program.run(Arguments{"model"} + arguments).err; };
  EXPECT_TRUE(says(error({"--config", "c.toml"}), {"from-the-file"}));
  program.environment["VITCL_DEVICE"] = "from-the-environment";
  EXPECT_TRUE(says(error({}), {"from-the-environment"}));
  EXPECT_TRUE(says(error({"--config", "c.toml"}), {"from-the-environment"}));
  EXPECT_TRUE(says(error({"--config", "c.toml", "--device", "from-the-flag"}), {"from-the-flag"}));
  EXPECT_EQ(program.run({"model", "--config", "c.toml", "--device", "auto"}).code, 0);
  EXPECT_EQ(program.run({"--device", "auto", "model", "--config", "c.toml"}).code, 0);
  program.environment["VITCL_DEVICE"] = "";
  EXPECT_TRUE(says(error({"--config", "c.toml"}), {"from-the-file"}));
}

TEST_F(Precedence, TheDataFolderComesFromFlagThenEnvironmentThenFile) {
  write_config("data-dir = \"/from/the/file\"\n");
  const auto error = [&](const Arguments& arguments) { return program.run(Arguments{"train"} + arguments).err; };
  EXPECT_TRUE(says(error({"--config", "c.toml"}), {"/from/the/file"}));
  program.environment["VITCL_DATA_DIR"] = "/from/the/environment";
  EXPECT_TRUE(says(error({"--config", "c.toml", "--data-dir", "/from/the/flag"}), {"/from/the/flag"}));
  program.environment["XDG_CACHE_HOME"] = "/nowhere";
  EXPECT_TRUE(says(error({"--config", "c.toml"}), {"/from/the/environment"}));
}

}  // namespace
}  // namespace vitcl::test
