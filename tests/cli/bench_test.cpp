#include "program.hpp"
#include "support/errors.hpp"

namespace vitcl::test {
namespace {

class Bench : public ProgramTest {
 protected:
  nlohmann::json figures(const std::string& file) {
    const auto content = bytes(file);
    return nlohmann::json::parse(content.begin(), content.end());
  }
};

TEST_F(Bench, MeasuresADeviceAndMergesWithAnother) {
  const Result measured =
      program.run({"bench", "--device", "auto", "--model", "article", "--batch-size", "3", "--output", "a.json"});
  ASSERT_EQ(measured.code, 0) << measured;
  EXPECT_TRUE(says(measured.out, {"HASH OF THE WEIGHTS", "training step", "gemm", "layer_norm"}));
  auto report = figures("a.json");
  const auto& device = report.at("devices").at(0);
  EXPECT_FALSE(device.at("ops").empty());
  EXPECT_EQ(device.at("models").at(0).at("batch"), 3);
  for (const auto& op : device.at("ops")) {
    EXPECT_FALSE(op.contains("failure")) << op;
    EXPECT_GT(op.at("roofline_share"), 0) << op;
  }

  // A second machine, on which the first op fails: its metric is 0, the others' stay.
  report["host"] = "other";
  auto& op = report["devices"][0]["ops"][0];
  op = {{"model", op["model"]}, {"op", op["op"]}, {"shape", op["shape"]}, {"failure", "<wrong & slow>"}};
  std::ofstream(program / "b.json") << report;
  const Result merged = program.run({"bench", "merge", "a.json", "b.json", "--html", "page.html"});
  ASSERT_EQ(merged.code, 0) << merged;
  const auto page = bytes("page.html");
  const std::string html(page.begin(), page.end());
  EXPECT_TRUE(says(html, {"<!DOCTYPE html>", "Devices compared", "other", "portability"}));
  EXPECT_EQ(html.find("http"), std::string::npos) << "the page needs no other";
}

// The time is too short for any device; its entry fails, and so does the run where there is no other.
TEST_F(Bench, ADeviceThatTakesTooLongIsGivenUp) {
  const Result result =
      program.run({"bench", "--device", "auto", "--model", "article", "--time-limit", "0.1s", "--output", "a.json"});
  EXPECT_EQ(result.code, 4) << result;
  EXPECT_TRUE(says(result.err, {"did not finish within 0.1 s", "no device could be measured"}));
  EXPECT_FALSE(std::filesystem::exists(program / "a.json"));
}

TEST_F(Bench, BadInputIsNamed) {
  const auto expect = [&](int code, const Arguments& arguments, std::initializer_list<std::string_view> parts) {
    const Result result = program.run(arguments);
    EXPECT_EQ(result.code, code) << testing::PrintToString(arguments) << result;
    EXPECT_TRUE(says(result.err, parts));
  };
  std::ofstream(program / "old.json") << R"({"format": "vitcl benchmark", "format_version": 0})";
  std::ofstream(program / "other.json") << "{}";
  expect(2, {"bench", "--model", "giant"}, {"giant", "article"});
  expect(2, {"bench", "--batch-size", "0"}, {"--batch-size"});
  expect(4, {"bench", "--device", "nowhere"}, {"nowhere"});
  expect(6, {"bench", "--output", "no/folder/file.json"}, {"no/folder"});
  expect(2, {"bench", "merge"}, {"files"});
  expect(3, {"bench", "merge", "missing.json"}, {"missing.json"});
  expect(3, {"bench", "merge", "old.json"}, {"old.json", "format 0"});
  expect(3, {"bench", "merge", "other.json"}, {"other.json", "vitcl bench"});
  EXPECT_FALSE(std::filesystem::exists(program / "vitcl-bench.json")) << "nothing half-written stays";
}

}  // namespace
}  // namespace vitcl::test
