// Drivers that crash, hang or write to standard output, as the loader meets them, and what a device is listed with.
#include <fmt/format.h>

#include "program.hpp"
#include "support/errors.hpp"

namespace vitcl::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class Drivers : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    fs::create_directory(vendors());
    program.environment["OCL_ICD_VENDORS"] = vendors();
  }
  fs::path vendors() const { return program / "vendors"; }

  /// The drivers of this machine.
  void add_sound_drivers() const {
    const char* set = std::getenv("OCL_ICD_VENDORS");
    const fs::path place = set != nullptr && *set != '\0' ? set : "/etc/OpenCL/vendors";
    if (fs::is_regular_file(place)) fs::copy(place, vendors() / "only.icd");
    if (!fs::is_directory(place)) return;
    for (const auto& file : fs::directory_iterator(place)) {
      if (file.path().extension() == ".icd") fs::copy(file.path(), vendors());
    }
  }
  void add_broken_driver(const std::string& fault) const {
    std::ofstream(vendors() / ("a_" + fault + ".icd")) << VITCL_BROKEN_DRIVERS "/broken_driver_" << fault << ".so\n";
  }
};

TEST_F(Drivers, OneThatCrashesOrBabblesIsLeftOut) {
  add_sound_drivers();
  add_broken_driver("crash");
  add_broken_driver("babble");
  const Result result = program.run({"devices", "--json", "--time-limit", "200s"});
  ASSERT_EQ(result.code, 0) << result;
  EXPECT_EQ(json::parse(result.out).size(), list_devices().size());
  EXPECT_TRUE(says(result.err, {"a_crash.icd: it crashed: signal 6", "a_babble.icd: it wrote to standard output",
                                "driver 0.1 loaded"}));
}

TEST_F(Drivers, OneThatHangsIsLeftOut) {  // alone, as sound ones may need longer than the limit here
  add_broken_driver("hang");
  const Result result = program.run({"devices", "--json", "--time-limit", "1s"});
  EXPECT_EQ(result.code, 4) << result;
  EXPECT_EQ(result.out, "[]\n");
  EXPECT_TRUE(says(result.err, {"a_hang.icd: it did not finish within 1 s", "pocl-opencl-icd"}));
}

TEST_F(Drivers, TheSelfTestAndTheBenchmarkLeaveThemOutToo) {
  add_broken_driver("crash");
  for (const char* command : {"doctor", "bench"}) {
    const Result result = program.run({command});
    EXPECT_EQ(result.code, 4) << result;
    EXPECT_TRUE(says(result.err, {"a_crash.icd: it crashed: signal 6", "pocl-opencl-icd"}));
  }
}

TEST_F(Drivers, ABugReportTellsOfThem) {
  add_broken_driver("crash");
  EXPECT_EQ(program.run({"doctor", "--report", "report.txt"}).code, 4);
  const auto report = bytes("report.txt");
  EXPECT_TRUE(says(std::string(report.begin(), report.end()),
                   {"a_crash.icd: it crashed: signal 6", "no OpenCL device", vendors().string() + "\""}));
}

TEST_F(Drivers, NothingIsLeftBehind) {
  fs::create_directory(program / "temporary");
  program.environment["TMPDIR"] = program / "temporary";
  add_sound_drivers();
  add_broken_driver("crash");
  ASSERT_EQ(program.run({"devices"}).code, 0);
  EXPECT_TRUE(fs::is_empty(program / "temporary"));
}

TEST_F(Drivers, WithoutASoundOneThereIsNoDevice) {
  add_broken_driver("crash");
  const Result result = program.run({"devices", "--json"});
  EXPECT_EQ(result.code, 4) << result;
  EXPECT_EQ(result.out, "[]\n");
  EXPECT_TRUE(says(result.err, {"a_crash.icd", "pocl-opencl-icd"}));
}

TEST_F(Drivers, OneNamedByItselfIsTriedToo) {
  add_broken_driver("crash");
  program.environment["OCL_ICD_VENDORS"] = vendors() / "a_crash.icd";
  const Result result = program.run({"devices"});
  EXPECT_EQ(result.code, 4) << result;
  EXPECT_TRUE(says(result.err, {"a_crash.icd", "it crashed"}));
}

class Devices : public ProgramTest {};

TEST_F(Devices, ALineEach) {
  const Result result = program.run({"devices", "-L"});
  ASSERT_EQ(result.code, 0) << result;
  std::string expected;
  for (const DeviceInfo& device : list_devices()) {
    expected +=
        fmt::format("{} {}: {}\n", device.index, device.alias.empty() ? device.platform : device.alias, device.name);
  }
  EXPECT_EQ(result.out, expected);
}

TEST_F(Devices, TheTableNamesThemAndTheVariables) {
  program.environment["VITCL_CACHE_DIR"] = program / "cache";
  const Result result = program.run({"devices"});
  ASSERT_EQ(result.code, 0) << result;
  for (const DeviceInfo& device : list_devices()) {
    EXPECT_TRUE(says(result.out, {device.name, device.platform, device.driver_version, device.selector()}));
  }
  EXPECT_TRUE(says(result.out, {fmt::format("VITCL_CACHE_DIR={}", (program / "cache").string())}));
  std::istringstream lines(result.out);
  std::string line;
  std::getline(lines, line);
  EXPECT_LT(line.size(), 100U) << line;
}

TEST_F(Devices, UuidsAndAddressesSelect) {
  for (const json& device : json::parse(program.run({"devices", "--json"}).out)) {
    for (const char* name : {"uuid", "pci_address", "id"}) {
      if (device.at(name).is_null()) continue;
      EXPECT_EQ(select_device(device.at(name).get<std::string>()).index, device.at("index")) << name;
    }
  }
}

TEST_F(Devices, MeasuringIsRemembered) {
  program.environment["VITCL_CACHE_DIR"] = program / "cache";
  if (list_devices().size() > 1) GTEST_SKIP() << "there may be slow devices among several";
  const json before = json::parse(program.run({"devices", "--json"}).out);
  EXPECT_TRUE(before.at(0).at("training_gflops").is_null());
  const Result measured = program.run({"devices", "--measure", "--json"});
  ASSERT_EQ(measured.code, 0) << measured;
  const double speed = json::parse(measured.out).at(0).at("training_gflops");
  EXPECT_GT(speed, 0);
  const json after = json::parse(program.run({"devices", "--json"}).out);
  EXPECT_EQ(after.at(0).at("training_gflops"), speed);
  EXPECT_EQ(after.at(0).at("tuned"), 0);
}

TEST_F(Devices, WrongOptionsAreExit2) {
  for (const Arguments& arguments : {Arguments{"devices", "-L", "--json"},
                                     {"devices", "-L", "--explain"},
                                     {"devices", "--time-limit", "0"},
                                     {"devices", "--time-limit", "soon"}}) {
    EXPECT_EQ(program.run(arguments).code, 2) << arguments.back();
  }
}

}  // namespace
}  // namespace vitcl::test
