#include "fma_peak.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "vitcl/tensor/tensor.hpp"

namespace vitcl::train {
namespace {

constexpr double enough_seconds = 0.01;  // so long that the launch does not matter
constexpr int least_rounds = 64;         // so many that the chains' beginning and end do not matter
constexpr int most_repeats = 10;
constexpr double most_seconds = 1;

/// Chains of one length on one device.
class Chains {
 public:
  Chains(Device& device, int chains)
      : queue_(device.queue()),
        kernel_(device.kernel("fma_peak", "fma_peak", KernelSpec{}.define("CHAINS", chains))),
        sums_(Tensor::empty(device, {items(device.caps())})),
        local_(is_cpu(device.caps()) ? 1 : gpu_group),
        flops_per_round_(2.0 * 16 * chains * static_cast<double>(sums_.elements())) {}

  double flops_per_second() const {
    int rounds = least_rounds;
    double best = seconds(rounds);
    while (best < enough_seconds) best = seconds(rounds *= 2);
    double total = 0;
    for (int repeat = 0; repeat < most_repeats && total < most_seconds; ++repeat) {
      const double again = seconds(rounds);
      best = std::min(best, again);
      total += again;
    }
    return flops_per_round_ * rounds / best;
  }

 private:
  static constexpr size_t gpu_group = 64;
  static bool is_cpu(const DeviceCaps& caps) { return caps.type == DeviceType::cpu; }
  static size_t items(const DeviceCaps& caps) { return caps.compute_units * (is_cpu(caps) ? 8 : 32 * gpu_group); }

  /// Ends with a read: there are drivers that come back from finish() too early.
  double seconds(int rounds) const {
    queue_.finish();
    const auto start = std::chrono::steady_clock::now();
    queue_.launch(kernel_, {.global = {sums_.elements()}, .local = {local_}}, 0.5F, 1.0F, rounds, sums_.buffer());
    float sum = 0;
    queue_.read(sums_.buffer(), &sum, sizeof sum);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  Queue& queue_;
  Kernel kernel_;
  Tensor sums_;
  size_t local_;
  double flops_per_round_;
};

/// Enough to hide the latency of processors with 16 registers of 256 bits, with 32 of 512, and with less of both.
std::vector<int> lengths(const DeviceCaps& caps) {
  if (caps.small_kernels_only) return {1, 2};
  return {3, 5, 6, 12};
}

}  // namespace

double fma_peak(Device& device) {
  double best = 0;
  for (const int chains : lengths(device.caps())) best = std::max(best, Chains(device, chains).flops_per_second());
  return best;
}

}  // namespace vitcl::train
