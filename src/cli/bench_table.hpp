#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vitcl/train/benchmark.hpp"

namespace vitcl::cli {

/// A measured device under a title of its own: its short name, with the host where there are several.
struct BenchColumn {
  std::string title;
  const train::DeviceBenchmark* device;
  const train::BenchmarkReport* report;
};

/// An op at a model's shape, or its whole training step: each column's share of what the device can do, 0 where it
/// fails or was not measured, and their harmonic mean.
struct BenchRow {
  std::string model, op, shape;
  std::vector<double> shares;
  double portability = 0;
};

struct BenchTable {
  std::vector<BenchColumn> columns;
  std::vector<BenchRow> rows;
};

/// 1372 or 0.91: a rate with the digits that mean something.
std::string rate(double per_second);

/// 1.87e11 as "187", 3.4e6 as "0.0034": operations or bytes in units of 10^9.
std::string in_billions(double count);

/// "4.6", or "-" where it is not known.
std::string in_ulp(std::optional<double> error);

/// The devices of all reports side by side. Points into `reports`.
BenchTable bench_table(const std::vector<train::BenchmarkReport>& reports);

}  // namespace vitcl::cli
