#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vitcl/backend/choices.hpp"
#include "vitcl/backend/device.hpp"

// How fast devices are at what training a Vision Transformer needs, for comparing them (`vitcl bench`).
namespace vitcl::train {

/// The most that a device was seen to do: the roofline (Williams, Waterman, Patterson 2009).
struct DeviceLimits {
  double launch_seconds = 0;             ///< of a kernel that does next to nothing, queued behind others
  double bytes_per_second = 0;           ///< read and written by a sum of two arrays, the best of 1 to 64 MiB each
  double upload_bytes_per_second = 0;    ///< from the host's memory
  double download_bytes_per_second = 0;  ///< to the host's memory
  double flops_per_second = 0;           ///< independent fused multiply-adds, two operations each
};
DeviceLimits measure_limits(Device& device);

/// One op, forward and backward where it has both, at the shape that a model's training step gives it.
struct OpSpeed {
  std::string model = {};
  OpShape key = {};
  std::string implementation = {};
  double seconds = 0, flops = 0, bytes = 0;
  std::string failure = {};  ///< why there is no time, if so
};

/// What of the roofline an op reaches, at most 1: the least time for its operations or its bytes, whichever is longer,
/// over the time it takes. 0 for a failure.
double roofline_share(const OpSpeed& op, const DeviceLimits& limits);

/// A model's recorded steps.
struct ModelSpeed {
  std::string model;
  size_t batch = 0;                   ///< images a step
  double training_seconds = 0;        ///< a training step
  double inference_seconds = 0;       ///< a forward pass
  double flops = 0;                   ///< of a training step, as the layers are written
  std::optional<double> joules = {};  ///< of a training step, by the whole machine's processors, where the system tells
  std::string failure = {};           ///< why there are no times, if so
};

/// What of the device's peak arithmetic a training step reaches; 0 for a failure.
double peak_share(const ModelSpeed& model, const DeviceLimits& limits);

struct DeviceBenchmark {
  std::string name, alias, platform, driver;
  unsigned compute_units = 0;
  DeviceLimits limits = {};
  std::vector<OpSpeed> ops = {};
  std::vector<ModelSpeed> models = {};
  /// XXH3, 128 bits, of a small model's parameters after ten steps: equal where devices agree to the bit.
  std::string weights_hash = {};
  /// The largest error of exp, log and GELU in units in the last place, where the self-test measured it.
  std::optional<double> worst_ulp = {};
  std::string failure = {};  ///< why nothing was measured, if so
};
/// Which device it is, and nothing measured.
DeviceBenchmark new_device_benchmark(const DeviceInfo& device);

/// What one run of `vitcl bench` writes.
struct BenchmarkReport {
  std::string version, date, host, processor;
  std::vector<DeviceBenchmark> devices = {};
};
/// A report without devices: this library, machine and moment.
BenchmarkReport new_benchmark_report();

/// Measures a device with presets of the ViT as models: ops, fused and plain, then whole steps of `batch` images, by
/// itself 100 small or 8 large ones. What would take longer than 10 s by the device's peak is left out and says so.
DeviceBenchmark benchmark_device(const DeviceInfo& device, std::span<const std::string> models,
                                 std::optional<size_t> batch = {});

/// The same in a process of its own, `command`, which prints to_json() of a report on the device as one line, or is
/// killed after so many seconds: a driver that crashes or hangs costs no more than its own figures. Throws StorageError
/// where it can't be started.
DeviceBenchmark benchmark_in_child(const DeviceInfo& device, const std::vector<std::string>& command, double seconds);

/// Pennycook's metric (Pennycook, Sewall, Lee 2016): the harmonic mean of the shares that a set of devices reaches, 0
/// where one reaches none.
double performance_portability(std::span<const double> shares);

/// A report as a JSON document, in one line or in many, and back. Reading throws DataError naming `source` for what is
/// no report or of another format.
std::string to_json(const BenchmarkReport& report, bool one_line = false);
BenchmarkReport benchmark_from_json(const std::string& text, const std::string& source);

}  // namespace vitcl::train
