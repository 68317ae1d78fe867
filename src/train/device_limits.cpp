#include <algorithm>
#include <chrono>

#include "fma_peak.hpp"
#include "op_timing.hpp"
#include "vitcl/ops/add.hpp"
#include "vitcl/train/benchmark.hpp"

namespace vitcl::train {
namespace {

/// y = a + b over as many floats, again and again.
double sum_seconds(Device& device, size_t elements) {
  Queue& queue = device.queue();
  const auto operand = [&] {
    Tensor tensor = Tensor::empty(device, {elements});
    queue.zero(tensor.buffer());
    return tensor;
  };
  const Tensor a = operand(), b = operand(), y = operand();
  return best_seconds(queue, queue.record([&] { ops::add_forward(queue, a, b, y); }));
}

/// Larger arrays are left out where these take long.
double memory_rate(Device& device) {
  constexpr size_t least = size_t{1} << 20U, most = size_t{64} << 20U;
  constexpr double long_seconds = 0.5;
  double best = 0, seconds = 0;
  for (size_t bytes = least; bytes <= most && 4 * bytes <= device.caps().max_allocation; bytes *= 4) {
    if (seconds > long_seconds) break;
    seconds = sum_seconds(device, bytes / sizeof(float));
    best = std::max(best, 3 * static_cast<double>(bytes) / seconds);
  }
  return best;
}

/// Bytes a second of the fastest of several calls, each of which moves `bytes` and waits.
template <class Transfer>
double transfer_rate(size_t bytes, const Transfer& transfer) {
  using Clock = std::chrono::steady_clock;
  constexpr int repeats = 5;
  double best = 0;
  for (int repeat = 0; repeat <= repeats; ++repeat) {
    const auto start = Clock::now();
    transfer();
    const std::chrono::duration<double> elapsed = Clock::now() - start;
    best = std::max(best, static_cast<double>(bytes) / elapsed.count());
  }
  return best;
}

}  // namespace

DeviceLimits measure_limits(Device& device) {
  constexpr size_t wanted = size_t{16} << 20U;
  const size_t bytes = std::min(wanted, device.caps().max_allocation);
  Queue& queue = device.queue();
  std::vector<unsigned char> host(bytes);
  const Buffer buffer = device.allocate(bytes);
  DeviceLimits limits;
  limits.launch_seconds = sum_seconds(device, 1);
  limits.bytes_per_second = memory_rate(device);
  limits.upload_bytes_per_second = transfer_rate(bytes, [&] { queue.write(buffer, host.data(), bytes); });
  limits.download_bytes_per_second = transfer_rate(bytes, [&] { queue.read(buffer, host.data(), bytes); });
  limits.flops_per_second = fma_peak(device);
  return limits;
}

double roofline_share(const OpSpeed& op, const DeviceLimits& limits) {
  if (!op.failure.empty() || op.seconds <= 0) return 0;
  const double least = std::max(op.flops / limits.flops_per_second, op.bytes / limits.bytes_per_second);
  return std::min(1.0, least / op.seconds);
}

double peak_share(const ModelSpeed& model, const DeviceLimits& limits) {
  if (!model.failure.empty() || model.training_seconds <= 0) return 0;
  return std::min(1.0, model.flops / model.training_seconds / limits.flops_per_second);
}

double performance_portability(std::span<const double> shares) {
  double inverse = 0;
  for (const double share : shares) {
    if (!(share > 0)) return 0;
    inverse += 1 / share;
  }
  return shares.empty() ? 0 : static_cast<double>(shares.size()) / inverse;
}

}  // namespace vitcl::train
