// A benchmark's JSON file.
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "backend/utc_time.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/train/benchmark.hpp"
#include "vitcl/train/run_folder.hpp"

namespace vitcl::train {
namespace {

using nlohmann::ordered_json;

constexpr const char* format_name = "vitcl benchmark";
constexpr int format_version = 1;

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

ordered_json json_of(const OpSpeed& op, const DeviceLimits& limits) {
  ordered_json json = {{"model", op.model}, {"op", op.key.op}, {"shape", op.key.shape}};
  if (!op.failure.empty()) {
    json["failure"] = op.failure;
    return json;
  }
  json.update({{"implementation", op.implementation},
               {"seconds", op.seconds},
               {"flops", op.flops},
               {"bytes", op.bytes},
               {"roofline_share", roofline_share(op, limits)}});
  return json;
}

ordered_json json_of(const ModelSpeed& model, const DeviceLimits& limits) {
  ordered_json json = {{"model", model.model}, {"batch", model.batch}};
  if (!model.failure.empty()) {
    json["failure"] = model.failure;
    return json;
  }
  json.update({{"training_seconds", model.training_seconds},
               {"inference_seconds", model.inference_seconds},
               {"flops", model.flops},
               {"peak_share", peak_share(model, limits)}});
  if (model.joules) json["joules"] = *model.joules;
  return json;
}

ordered_json json_of(const DeviceBenchmark& device) {
  const DeviceLimits& limits = device.limits;
  ordered_json json = {{"name", device.name},
                       {"alias", device.alias},
                       {"platform", device.platform},
                       {"driver", device.driver},
                       {"compute_units", device.compute_units}};
  if (!device.failure.empty()) {
    json["failure"] = device.failure;
    return json;
  }
  ordered_json ops = ordered_json::array(), models = ordered_json::array();
  for (const OpSpeed& op : device.ops) ops.push_back(json_of(op, limits));
  for (const ModelSpeed& model : device.models) models.push_back(json_of(model, limits));
  json.update({{"limits",
                {{"launch_seconds", limits.launch_seconds},
                 {"bytes_per_second", limits.bytes_per_second},
                 {"upload_bytes_per_second", limits.upload_bytes_per_second},
                 {"download_bytes_per_second", limits.download_bytes_per_second},
                 {"flops_per_second", limits.flops_per_second}}},
               {"ops", ops},
               {"models", models},
               {"weights_hash", device.weights_hash},
               {"worst_ulp", device.worst_ulp ? ordered_json(*device.worst_ulp) : ordered_json()}});
  return json;
}

/// A time, rate or amount: a finite number that is not negative.
double number(const ordered_json& json, const char* name) {
  const double value = json.at(name).get<double>();
  if (!(value >= 0)) throw DataError(fmt::format("\"{}\" is {}", name, value));
  return value;
}

OpSpeed op_from(const ordered_json& json) {
  OpSpeed op{.model = json.at("model"), .key = {json.at("op"), json.at("shape")}};
  if (op.failure = json.value("failure", ""); !op.failure.empty()) return op;
  op.implementation = json.at("implementation");
  op.seconds = number(json, "seconds"), op.flops = number(json, "flops"), op.bytes = number(json, "bytes");
  return op;
}

ModelSpeed model_from(const ordered_json& json) {
  ModelSpeed model{.model = json.at("model"), .batch = json.at("batch")};
  if (model.failure = json.value("failure", ""); !model.failure.empty()) return model;
  model.training_seconds = number(json, "training_seconds");
  model.inference_seconds = number(json, "inference_seconds");
  model.flops = number(json, "flops");
  if (json.contains("joules")) model.joules = number(json, "joules");
  return model;
}

DeviceBenchmark device_from(const ordered_json& json) {
  DeviceBenchmark device{.name = json.at("name"),
                         .alias = json.at("alias"),
                         .platform = json.at("platform"),
                         .driver = json.at("driver"),
                         .compute_units = json.at("compute_units")};
  if (device.failure = json.value("failure", ""); !device.failure.empty()) return device;
  const ordered_json& limits = json.at("limits");
  device.limits = {.launch_seconds = number(limits, "launch_seconds"),
                   .bytes_per_second = number(limits, "bytes_per_second"),
                   .upload_bytes_per_second = number(limits, "upload_bytes_per_second"),
                   .download_bytes_per_second = number(limits, "download_bytes_per_second"),
                   .flops_per_second = number(limits, "flops_per_second")};
  device.weights_hash = json.at("weights_hash");
  if (!json.at("worst_ulp").is_null()) device.worst_ulp = number(json, "worst_ulp");
  for (const ordered_json& op : json.at("ops")) device.ops.push_back(op_from(op));
  for (const ordered_json& model : json.at("models")) device.models.push_back(model_from(model));
  return device;
}

}  // namespace

BenchmarkReport new_benchmark_report() {
  return {.version = version(), .date = utc_time(), .host = host_name(), .processor = processor_name()};
}

std::string to_json(const BenchmarkReport& report, bool one_line) {
  ordered_json devices = ordered_json::array();
  for (const DeviceBenchmark& device : report.devices) devices.push_back(json_of(device));
  const ordered_json document = {{"format", format_name},        {"format_version", format_version},
                                 {"version", report.version},    {"date", report.date},
                                 {"host", report.host},          {"processor", report.processor},
                                 {"devices", std::move(devices)}};
  return document.dump(one_line ? -1 : 1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

BenchmarkReport benchmark_from_json(const std::string& text, const std::string& source) {
  try {
    const ordered_json json = ordered_json::parse(text);
    if (!json.is_object() || json.value("format", "") != format_name) {
      throw DataError("it is no file of `vitcl bench`");
    }
    if (const int found = json.at("format_version"); found != format_version) {
      throw DataError(fmt::format("it is of format {}, but this program reads format {}; run `vitcl bench` again",
                                  found, format_version));
    }
    BenchmarkReport report{.version = json.at("version"),
                           .date = json.at("date"),
                           .host = json.at("host"),
                           .processor = json.at("processor")};
    for (const ordered_json& device : json.at("devices")) report.devices.push_back(device_from(device));
    return report;
  } catch (const ordered_json::exception& error) {
    throw DataError(fmt::format("{}: not a benchmark that can be read: {}", source, error.what()));
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}: {}", source, error.what()));
  }
}

}  // namespace vitcl::train
