#include "bench_page.hpp"

#include <fmt/format.h>

namespace vitcl::cli {
namespace {

constexpr const char* style = R"(
:root { color-scheme: light dark; --line: #8884; --bar: #3b82f655; --faint: .7; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p { opacity: var(--faint); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .7rem; text-align: right; white-space: nowrap; }
th { font-weight: 600; vertical-align: bottom; }
th, td.text { white-space: normal; } th.text, td.text { text-align: left; }
td.share { background: linear-gradient(to right, var(--bar) var(--share), transparent var(--share)); }
td.none { opacity: var(--faint); } code { font-size: .85em; overflow-wrap: anywhere; }
)";

/// Text as HTML shows it.
std::string escaped(const std::string& text) {
  std::string html;
  for (const char c : text) {
    switch (c) {
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '&':
        html += "&amp;";
        break;
      case '"':
        html += "&quot;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

std::string text_cell(const std::string& text) { return fmt::format("<td class=text>{}</td>", escaped(text)); }
std::string cell(const std::string& text) { return fmt::format("<td>{}</td>", escaped(text)); }
std::string share_cell(double share) {
  if (share <= 0) return "<td class=none>–</td>";
  return fmt::format("<td class=share style=\"--share:{0:.1f}%\">{0:.1f}%</td>", 100 * share);
}

/// A table; `text` columns are left-aligned.
std::string table_of(const std::vector<std::string>& heads, size_t text, const std::string& rows) {
  std::string html = "<div class=scroll><table>\n<tr>";
  for (size_t i = 0; i < heads.size(); ++i) {
    html += fmt::format("<th{}>{}</th>", i < text ? " class=text" : "", escaped(heads[i]));
  }
  return html + "</tr>\n" + rows + "</table></div>\n";
}

std::string limits_table(const std::vector<BenchColumn>& columns) {
  std::string rows;
  for (const BenchColumn& column : columns) {
    const train::DeviceBenchmark& device = *column.device;
    const train::DeviceLimits& limits = device.limits;
    rows += "<tr>" + text_cell(column.title) + text_cell(device.name) +
            text_cell(fmt::format("{}, driver {}", device.platform, device.driver)) +
            cell(fmt::format("{}", device.compute_units));
    if (!device.failure.empty()) {
      rows += fmt::format("<td class=text colspan=7>{}</td></tr>\n", escaped(device.failure));
      continue;
    }
    rows += cell(fmt::format("{:.1f} µs", 1e6 * limits.launch_seconds)) +
            cell(in_billions(limits.flops_per_second) + " GFLOP/s") +
            cell(in_billions(limits.bytes_per_second) + " GB/s") +
            cell(in_billions(limits.upload_bytes_per_second) + " GB/s") +
            cell(in_billions(limits.download_bytes_per_second) + " GB/s") + cell(in_ulp(device.worst_ulp)) +
            fmt::format("<td class=text><code>{}</code></td></tr>\n", escaped(device.weights_hash));
  }
  return table_of({"device", "name", "platform", "units", "launch", "arithmetic", "memory", "upload", "download",
                   "worst ulp", "hash of the weights"},
                  3, rows);
}

std::string models_table(const std::vector<BenchColumn>& columns) {
  std::string rows;
  for (const BenchColumn& column : columns) {
    for (const train::ModelSpeed& model : column.device->models) {
      const auto images = static_cast<double>(model.batch);
      rows += "<tr>" + text_cell(column.title) + text_cell(model.model) + cell(fmt::format("{}", model.batch));
      if (!model.failure.empty()) {
        rows += fmt::format("<td class=text colspan=4>{}</td></tr>\n", escaped(model.failure));
        continue;
      }
      rows += cell(rate(images / model.training_seconds)) + cell(rate(images / model.inference_seconds)) +
              share_cell(peak_share(model, column.device->limits)) +
              cell(model.joules ? fmt::format("{:.2f} J", *model.joules / images) : "–") + "</tr>\n";
    }
  }
  return table_of(
      {"device", "model", "batch", "images/s, training", "images/s, inference", "of peak", "energy an image"}, 2, rows);
}

std::string shares_table(const BenchTable& table) {
  std::vector<std::string> heads = {"model", "op", "shape"};
  for (const BenchColumn& column : table.columns) heads.push_back(column.title);
  heads.emplace_back("portability");
  std::string rows;
  for (const BenchRow& row : table.rows) {
    rows += "<tr>" + text_cell(row.model) + text_cell(row.op) + text_cell(row.shape);
    for (const double share : row.shares) rows += share_cell(share);
    rows += share_cell(row.portability) + "</tr>\n";
  }
  return table_of(heads, 3, rows);
}

}  // namespace

std::string bench_page(const std::vector<train::BenchmarkReport>& reports, const BenchTable& table) {
  std::string machines;
  for (const train::BenchmarkReport& report : reports) {
    machines += fmt::format("<p>{}: {}, vitcl {}, {}</p>\n", escaped(report.host), escaped(report.processor),
                            escaped(report.version), escaped(report.date));
  }
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n<meta name=viewport content=\"width=device-width\">\n"
      "<title>vitcl: devices compared</title>\n<style>{}</style>\n<h1>Devices compared</h1>\n{}"
      "<h2>What the devices can do</h2>\n{}<h2>Models</h2>\n{}"
      "<h2>Share of what the device can do</h2>\n"
      "<p>Of an op: of its roofline, the least time for its operations or its bytes over the time it took. Of a "
      "training "
      "step: of the peak arithmetic. Portability is the harmonic mean over the devices, none where one has none "
      "(Pennycook, Sewall and Lee 2016).</p>\n{}</html>\n",
      style, machines, limits_table(table.columns), models_table(table.columns), shares_table(table));
}

}  // namespace vitcl::cli
