// Bad input: one clear message on stderr, the right exit code, and nothing that was there is lost.
#include "program.hpp"
#include "support/errors.hpp"
#include "support/reference_data.hpp"
#include "vitcl/io/safetensors.hpp"

namespace vitcl::test {
namespace {

namespace fs = std::filesystem;

class BadInput : public ProgramTest {
 protected:
  /// Expects this exit code, nothing on stdout, and a message that says all of `parts`.
  void expect(int code, const Arguments& arguments, std::initializer_list<std::string_view> parts) {
    const Result result = program.run(arguments);
    EXPECT_EQ(result.code, code) << testing::PrintToString(arguments) << result;
    EXPECT_TRUE(says(result.err, parts));
    EXPECT_NE(result.err.find("vitcl: "), std::string::npos);
    EXPECT_EQ(result.out, "");
  }
  void train(const std::string& run) { ASSERT_EQ(program.run(small_run(run)).code, 0); }
};

TEST_F(BadInput, DataIsExit3) {
  expect(3, {"train", "--data", "nowhere"}, {"nowhere"});
  expect(3, {"train", "--data", "mnist", "--data-dir", "empty"}, {"mnist", "empty"});
  expect(3, {"train", "--data", "digits", "--train-samples", "10", "--test-samples", "10", "--image-size", "32"},
         {"28 x 28", "--image-size 28"});
  fs::create_directory(program / "broken");
  for (const char* name :
       {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) {
    std::ofstream(program / "broken" / name) << "not IDX at all, but long enough";
  }
  expect(3, {"train", "--data", "broken"}, {"broken"});
  expect(3, {"verify", "missing.safetensors"}, {"missing.safetensors"});
  std::ofstream(program / "noise.safetensors") << "noise";
  expect(3, {"verify", "noise.safetensors"}, {"noise.safetensors"});
  expect(3, {"predict", "missing.safetensors", "missing.png"}, {"missing.png"});
}

TEST_F(BadInput, DevicesAreExit4) {
  expect(4, {"model", "--device", "no such device"}, {"no such device", list_devices()[0].name});
  expect(4, small_run("run") + Arguments{"--device", "99"}, {"99"});
  EXPECT_FALSE(fs::exists(program / "run"));
}

TEST(NoDevice, SaysWhichPackageGivesOne) {
  Program program;
  program.environment["OCL_ICD_VENDORS"] = "/nonexistent";
  for (const Arguments& arguments : {Arguments{"devices"}, {"model", "--device", "cpu"}}) {
    const Result result = program.run(arguments);
    EXPECT_EQ(result.code, 4) << result;
    EXPECT_TRUE(says(result.err, {"pocl-opencl-icd"}));
  }
  const Result json = program.run({"devices", "--json"});
  EXPECT_EQ(json.code, 4) << json;
  EXPECT_EQ(nlohmann::json::parse(json.out), nlohmann::json::array());
}

TEST_F(BadInput, DevicesAreListedAsJson) {
  const Result result = program.run({"devices", "--json"});
  ASSERT_EQ(result.code, 0) << result;
  const auto list = nlohmann::json::parse(result.out);
  ASSERT_TRUE(list.is_array());
  EXPECT_EQ(list.size(), list_devices().size());
  for (const char* key : {"index", "name", "platform", "type"}) EXPECT_TRUE(list[0].contains(key)) << key;
}

TEST_F(BadInput, ChecksRunInOrder) {
  std::ofstream(program / "file") << "in the way";
  const Arguments all_wrong = {"train", "--data", "nowhere", "--device", "no such device", "--output", "file/run"};
  expect(2, all_wrong + Arguments{"--epochs", "0"}, {"--epochs"});
  expect(3, all_wrong, {"nowhere"});
  const Arguments good_data = {"--data", "digits", "--train-samples", "10", "--test-samples", "10"};
  expect(4, all_wrong + good_data, {"no such device"});
  expect(6, all_wrong + good_data + Arguments{"--device", "auto"}, {"file"});
}

TEST_F(BadInput, OutputIsExit6) {
  expect(6, small_run("/proc/run"), {"/proc"});
  fs::create_directory(program / "full");
  std::ofstream(program / "full/notes.txt") << "mine";
  expect(6, small_run("full"), {"full", "not empty", "--overwrite"});
  const Result result = program.run(small_run("full") + Arguments{"--overwrite"});
  EXPECT_EQ(result.code, 0) << result;
  EXPECT_EQ(fs::file_size(program / "full/notes.txt"), 4U);
}

TEST_F(BadInput, CheckpointsAreExit6) {
  expect(6, {"eval", "missing.safetensors", "--data", "digits", "--test-samples", "5"}, {"missing.safetensors"});
  expect(6, {"train", "--resume", "nowhere"}, {"nowhere", "config.toml"});
  train("run");
  const fs::path last = program / "run/checkpoint-last.safetensors";
  const io::SafeTensors whole = io::read_safetensors(last);

  io::SafeTensors with_nan = whole;
  with_nan.metadata.erase("checksums");
  const std::vector<float> values(10, std::numeric_limits<float>::quiet_NaN());
  with_nan.tensors["mlp_head.2.bias"] = io::HostTensor::from(Shape{10}, std::span<const float>(values));
  io::write_safetensors(last, with_nan);
  expect(6, {"eval", "run/checkpoint-last.safetensors", "--test-samples", "5"}, {"checkpoint-last", "nan"});

  io::write_safetensors(last, whole);
  fs::resize_file(last, fs::file_size(last) / 2);
  expect(6, {"eval", "run/checkpoint-last.safetensors", "--test-samples", "5"}, {"checkpoint-last", "truncated"});
}

TEST_F(BadInput, ADamagedCheckpointIsSetAsideAndTheOneBeforeItUsed) {
  train("run");
  ASSERT_EQ(program.run(small_run("whole") + Arguments{"--epochs", "3"}).code, 0);
  const fs::path last = program / "run/checkpoint-last.safetensors";
  fs::resize_file(last, fs::file_size(last) / 2);
  const std::vector<uint8_t> truncated = bytes("run/checkpoint-last.safetensors");
  const Result result = program.run({"train", "--resume", "run", "--epochs", "3", "--quiet"});
  EXPECT_EQ(result.code, 0) << result;
  EXPECT_TRUE(says(result.err, {"checkpoint-last.safetensors", "truncated", "checkpoint-last.safetensors.damaged",
                                "checkpoint-00000022.safetensors"}));
  EXPECT_EQ(bytes("run/checkpoint-last.safetensors.damaged"), truncated);
  EXPECT_TRUE(bytes("run/checkpoint-last.safetensors") == bytes("whole/checkpoint-last.safetensors"));
}

TEST_F(BadInput, ACheckpointOfAnotherModelIsRefused) {
  train("run");
  ASSERT_EQ(program.run(small_run("other") + Arguments{"--dim", "16"}).code, 0);
  fs::copy_file(program / "other/checkpoint-last.safetensors", program / "run/checkpoint-last.safetensors",
                fs::copy_options::overwrite_existing);
  expect(6, {"train", "--resume", "run", "--epochs", "3", "--quiet"}, {"another model", "dim", "16", "8"});
}

TEST_F(BadInput, ABatchTooLargeNamesOneThatFits) {
  expect(4,
         {"train", "--data", "digits", "--train-samples", "60000", "--test-samples", "10", "--batch-size", "60000",
          "--patch-size", "1", "--dim", "512", "--output", "run"},
         {"batch"});
  EXPECT_FALSE(fs::exists(program / "run"));
}

TEST_F(BadInput, VerifyingAWrongBundleIsExit5) {
  const fs::path bundle = reference_dir() / "mean_pool_linear_head.safetensors";
  VITCL_SKIP_WITHOUT(bundle);
  const Result good = program.run({"verify", bundle.string(), "--json"});
  EXPECT_EQ(good.code, 0) << good;
  const auto report = nlohmann::json::parse(good.out);
  EXPECT_EQ(report.at("ok"), true);
  for (const char* key : {"logits", "loss", "losses", "adam1"}) {
    EXPECT_LE(report.at(key).at("error"), report.at(key).at("limit")) << key;
  }
  EXPECT_TRUE(report.at("device").is_string());
  EXPECT_LE(report.at("grads").at("mlp_head.weight").at("error"), report.at("grads").at("mlp_head.weight").at("limit"));

  const Result plain = program.run({"verify", bundle.string(), "--json", "--fuse", "off"});
  EXPECT_EQ(plain.code, 0) << plain;

  io::SafeTensors wrong = io::read_safetensors(bundle);
  wrong.tensors.at("output.logits").bytes[2] ^= 0x40;
  io::write_safetensors(program / "wrong.safetensors", wrong);
  const Result result = program.run({"verify", "wrong.safetensors", "--json"});
  EXPECT_EQ(result.code, 5) << result;
  EXPECT_EQ(nlohmann::json::parse(result.out).at("ok"), false);
}

}  // namespace
}  // namespace vitcl::test
