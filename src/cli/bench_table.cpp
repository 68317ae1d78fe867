#include "bench_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace vitcl::cli {
namespace {

using train::BenchmarkReport;

std::vector<BenchColumn> columns_of(const std::vector<BenchmarkReport>& reports) {
  std::set<std::string> hosts;
  for (const BenchmarkReport& report : reports) hosts.insert(report.host);
  std::vector<BenchColumn> columns;
  std::map<std::string, int> seen;
  for (const BenchmarkReport& report : reports) {
    for (const train::DeviceBenchmark& device : report.devices) {
      std::string title = device.alias.empty() ? device.name : device.alias;
      if (hosts.size() > 1) title += " " + report.host;
      if (const int before = seen[title]++; before > 0) title += fmt::format(" #{}", before + 1);
      columns.push_back({std::move(title), &device, &report});
    }
  }
  return columns;
}

/// Rows in the order in which they are first met.
class Rows {
 public:
  explicit Rows(size_t columns) : columns_(columns) {}
  void set(size_t column, const std::string& model, const std::string& op, const std::string& shape, double share) {
    const auto [at, is_new] = index_.try_emplace({model, op, shape}, rows_.size());
    if (is_new) rows_.push_back({model, op, shape, std::vector<double>(columns_, 0.0)});
    rows_[at->second].shares[column] = share;
  }
  std::vector<BenchRow> take() {
    for (BenchRow& row : rows_) row.portability = train::performance_portability(row.shares);
    return std::move(rows_);
  }

 private:
  size_t columns_;
  std::map<std::tuple<std::string, std::string, std::string>, size_t> index_;
  std::vector<BenchRow> rows_;
};

}  // namespace

std::string rate(double per_second) {
  return per_second < 10 ? fmt::format("{:.3g}", per_second) : fmt::format("{:.0f}", per_second);
}

std::string in_billions(double count) {
  constexpr double exact_below = 9.95;
  const double billions = 1e-9 * count;
  return billions < exact_below ? fmt::format("{:#.2g}", billions) : fmt::format("{:.0f}", billions);
}

std::string in_ulp(std::optional<double> error) { return error ? fmt::format("{:.1f}", *error) : "-"; }

BenchTable bench_table(const std::vector<BenchmarkReport>& reports) {
  BenchTable table{columns_of(reports), {}};
  Rows rows(table.columns.size());
  for (size_t column = 0; column < table.columns.size(); ++column) {
    const train::DeviceBenchmark& device = *table.columns[column].device;
    for (const train::ModelSpeed& model : device.models) {
      rows.set(column, model.model, "training step", fmt::format("batch {}", model.batch),
               peak_share(model, device.limits));
    }
    for (const train::OpSpeed& op : device.ops) {
      rows.set(column, op.model, op.key.op, op.key.shape, roofline_share(op, device.limits));
    }
  }
  table.rows = rows.take();
  std::ranges::stable_sort(table.rows, {}, [](const BenchRow& row) { return row.op != "training step"; });
  return table;
}

}  // namespace vitcl::cli
