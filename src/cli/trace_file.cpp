// The format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU, "complete events".
#include "trace_file.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "vitcl/backend/error.hpp"
#include "vitcl/io/atomic_file.hpp"

namespace vitcl::cli {
namespace {

using nlohmann::ordered_json;

ordered_json label(const char* kind, const std::string& text) {
  return {{"name", kind}, {"ph", "M"}, {"pid", 1}, {"tid", 1}, {"args", {{"name", text}}}};
}

/// Times in microseconds after `origin`, as the format wants them.
ordered_json complete_event(const KernelEvent& event, uint64_t origin) {
  const auto nanoseconds = static_cast<double>(event.end - event.start);
  ordered_json rates = ordered_json::object();
  if (nanoseconds > 0) rates = {{"GFLOP/s", event.flops / nanoseconds}, {"GB/s", event.bytes / nanoseconds}};
  return {{"name", event.name},
          {"cat", "kernel"},
          {"ph", "X"},
          {"pid", 1},
          {"tid", 1},
          {"ts", static_cast<double>(event.start - origin) * 1e-3},
          {"dur", nanoseconds * 1e-3},
          {"args", rates}};
}

}  // namespace

void require_clock(const DeviceInfo& device) {
  if (!device.caps.profiling_clock_broken) return;
  throw DeviceError(
      fmt::format("--trace: the clock of {} is unusable, its times mean nothing; leave --trace out, or "
                  "choose another --device",
                  device.name));
}

void require_writable(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) {
    throw StorageError(fmt::format("--trace {}: this is a folder; name a file in it", path.string()));
  }
  const io::AtomicFile probe(path);
}

void write_trace(const std::filesystem::path& path, Device& device) {
  const std::vector<KernelEvent> launches = device.queue().trace();
  ordered_json events = {label("process_name", device.info().name), label("thread_name", "kernels")};
  for (const KernelEvent& launch : launches) events.push_back(complete_event(launch, launches.front().start));
  const ordered_json document = {{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}};
  io::write_text_file(path, document.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

}  // namespace vitcl::cli
