#include "vitcl/train/benchmark.hpp"

#include <array>

#include "support/devices.hpp"
#include "support/errors.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

using train::BenchmarkReport;
using train::DeviceLimits;
using train::OpSpeed;

double portability(const std::vector<double>& shares) { return train::performance_portability(shares); }

TEST(PerformancePortability, IsTheHarmonicMeanAndZeroWhereADeviceFails) {
  EXPECT_DOUBLE_EQ(portability({0.25}), 0.25);
  EXPECT_DOUBLE_EQ(portability({1, 0.5}), 2.0 / 3);
  EXPECT_DOUBLE_EQ(portability({0.5, 0.25, 0.25}), 0.3);
  EXPECT_EQ(portability({1, 1, 0}), 0);
  EXPECT_EQ(portability({}), 0);
}

TEST(RooflineShare, IsOfTheLongerOfArithmeticAndMemory) {
  const DeviceLimits limits{.bytes_per_second = 10, .flops_per_second = 100};
  const auto share = [&](double seconds, double flops, double bytes) {
    return train::roofline_share({.seconds = seconds, .flops = flops, .bytes = bytes}, limits);
  };
  EXPECT_DOUBLE_EQ(share(4, 200, 10), 0.5) << "two seconds of arithmetic, one of memory";
  EXPECT_DOUBLE_EQ(share(4, 100, 20), 0.5) << "one second of arithmetic, two of memory";
  EXPECT_EQ(share(1, 200, 10), 1) << "from a cache it may be faster than memory";
  EXPECT_EQ(train::roofline_share({.seconds = 1, .flops = 100, .failure = "wrong"}, limits), 0);
}

BenchmarkReport report() {
  train::DeviceBenchmark device{.name = "a \"device\"",
                                .alias = "pocl",
                                .platform = "platform",
                                .driver = "1.2",
                                .compute_units = 3,
                                .limits = {1e-6, 2e10, 3e9, 4e9, 5e11},
                                .weights_hash = "00ff",
                                .worst_ulp = 4.5};
  device.ops = {{"article", {"gemm", "nt_1x2x3"}, "tile_6x16", 1e-3, 2e8, 3e6}, {"small", {"gelu", "7"}}};
  device.ops[1].failure = "no time";
  device.models = {{"article", 100, 0.02, 0.01, 2e9, 0.5}, {"small", 8}};
  device.models[1].failure = "it would take 99 s or more";
  return {"0.1.0", "2026-01-02T03:04:05Z", "host", "processor", {device}};
}

TEST(BenchmarkFile, IsReadAsItWasWritten) {
  const std::string text = train::to_json(report());
  const BenchmarkReport read = train::benchmark_from_json(text, "file");
  EXPECT_EQ(train::to_json(read), text);
  ASSERT_EQ(read.devices.size(), 1);
  EXPECT_EQ(read.devices[0].ops[0].key.shape, "nt_1x2x3");
  EXPECT_EQ(read.devices[0].models[0].joules, 0.5);
  EXPECT_EQ(read.devices[0].worst_ulp, 4.5);
  EXPECT_EQ(read.devices[0].models[1].failure, report().devices[0].models[1].failure);
}

std::string replaced(std::string text, const std::string& part, const std::string& by) {
  const size_t at = text.find(part);
  EXPECT_NE(at, std::string::npos) << part;
  return text.replace(at, part.size(), by);
}

TEST(BenchmarkFile, ADeviceThatFailedSaysWhy) {
  BenchmarkReport with = report();
  with.devices.push_back({.name = "broken", .alias = "b", .platform = "p", .driver = "1", .failure = "it crashed"});
  const std::string line = train::to_json(with, true);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const BenchmarkReport read = train::benchmark_from_json(line, "file");
  ASSERT_EQ(read.devices.size(), 2);
  EXPECT_EQ(read.devices[1].failure, "it crashed");
  EXPECT_TRUE(read.devices[1].ops.empty());
  EXPECT_TRUE(read.devices[0].failure.empty());
}

TEST(BenchmarkFile, WhatIsNoneIsNamed) {
  const std::string good = train::to_json(report());
  const auto error = [](const std::string& text) {
    return error_of<DataError>([&] { train::benchmark_from_json(text, "figures.json"); });
  };
  EXPECT_TRUE(says(error(replaced(good, "\"format_version\": 1", "\"format_version\": 2")),
                   {"figures.json", "format 2", "format 1"}));
  EXPECT_TRUE(says(error(replaced(good, "vitcl benchmark", "something")), {"figures.json", "vitcl bench"}));
  EXPECT_TRUE(says(error(replaced(good, "\"launch_seconds\": 1e-06", "\"launch_seconds\": -1")),
                   {"figures.json", "launch_seconds", "-1"}));
  EXPECT_TRUE(says(error(replaced(good, "\"compute_units\": 3", "\"compute_units\": \"three\"")), {"figures.json"}));
  EXPECT_TRUE(says(error("[]"), {"figures.json"}));
  EXPECT_TRUE(says(error(""), {"figures.json"}));
  for (size_t length = 0; length + 2 < good.size(); length += 37)
    EXPECT_NE(error(good.substr(0, length)), "") << length;
}

class BenchmarkTest : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, BenchmarkTest, all_devices(), device_name);

TEST_P(BenchmarkTest, MeasuresLimitsAndTrainsToTheSameBits) {
  if (is_oclgrind(GetParam().info)) GTEST_SKIP() << "an interpreter has no speed";
  const auto measured = [&] { return train::benchmark_device(GetParam().info, {}); };
  const train::DeviceBenchmark first = measured();
  EXPECT_EQ(first.name, GetParam().info.name);
  EXPECT_TRUE(first.ops.empty() && first.models.empty());
  for (const double limit :
       {first.limits.launch_seconds, first.limits.bytes_per_second, first.limits.upload_bytes_per_second,
        first.limits.download_bytes_per_second, first.limits.flops_per_second}) {
    EXPECT_GT(limit, 0);
  }
  EXPECT_EQ(first.weights_hash.size(), 32);
  EXPECT_EQ(first.weights_hash, measured().weights_hash);
}

}  // namespace
}  // namespace vitcl::test
