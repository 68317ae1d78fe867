// The self-test in a process of its own.
#include <fmt/format.h>
#include <sys/wait.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "backend/child_process.hpp"
#include "vitcl/selftest/selftest.hpp"

namespace vitcl::selftest {
namespace {

using nlohmann::ordered_json;

Report failed(const std::string& reason) {
  return {.ops = {{.op = "process", .unit = "", .failures = {reason}}}, .seconds = 0};
}

Report from_json(const ordered_json& json) {
  Report report;
  report.seconds = json.at("seconds");
  for (const ordered_json& op : json.at("ops")) {
    const ordered_json& error = op.at("worst_error");
    report.ops.push_back(
        {.op = op.at("op"),
         .inputs = op.at("inputs"),
         .worst_error = error.is_null() ? std::numeric_limits<double>::quiet_NaN() : error.get<double>(),
         .unit = op.at("unit"),
         .failures = op.at("failures")});
  }
  return report;
}

}  // namespace

std::string to_json(const Report& report) {
  ordered_json ops = ordered_json::array();
  for (const OpResult& op : report.ops) {
    const ordered_json error = std::isfinite(op.worst_error) ? ordered_json(op.worst_error) : ordered_json(nullptr);
    ops.push_back(
        {{"op", op.op}, {"inputs", op.inputs}, {"worst_error", error}, {"unit", op.unit}, {"failures", op.failures}});
  }
  const ordered_json json = {{"passed", report.passed()}, {"seconds", report.seconds}, {"ops", ops}};
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

Report examine(const std::vector<std::string>& command, double seconds) {
  const ChildResult child = run_child(command, seconds);
  if (const std::string failure = failure_of(child, seconds); !failure.empty()) return failed(failure);
  try {
    return from_json(ordered_json::parse(last_line(child)));
  } catch (const ordered_json::exception&) {
    return failed(fmt::format("it ended with code {} and no report", WEXITSTATUS(child.status)));
  }
}

}  // namespace vitcl::selftest
