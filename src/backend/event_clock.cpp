#include "backend/event_clock.hpp"

#include <chrono>

#include "backend/native.hpp"

namespace vitcl {
namespace {

struct Times {
  double event = 0, host = 0;  // seconds
};

/// A kernel whose length can be chosen, on a queue of its own: the device's profile stays empty.
class Stopwatch {
 public:
  explicit Stopwatch(Device& device)
      : kernel_(device.kernel("fma_peak", "fma_peak", KernelSpec{}.define("CHAINS", 1))),
        sums_(device.allocate(items * sizeof(float))),
        native_(NativeAccess::state(device)),
        queue_(native_.context, native_.device, CL_QUEUE_PROFILING_ENABLE),
        cl_kernel_(NativeAccess::kernel(kernel_)) {
    const cl_mem sums = NativeAccess::memory(sums_);
    cl_kernel_.setArg(0, 0.5F);
    cl_kernel_.setArg(1, 1.0F);
    cl_kernel_.setArg(3, sizeof sums, &sums);
  }

  Times time(cl_int rounds) {
    using Clock = std::chrono::steady_clock;
    cl_kernel_.setArg(2, rounds);
    cl::Event event;
    queue_.finish();
    const auto start = Clock::now();
    queue_.enqueueNDRangeKernel(cl_kernel_, cl::NullRange, {items}, {1}, nullptr, &event);
    queue_.finish();
    event.wait();
    const std::chrono::duration<double> host = Clock::now() - start;
    const auto begin = event.getProfilingInfo<CL_PROFILING_COMMAND_START>();
    const auto end = event.getProfilingInfo<CL_PROFILING_COMMAND_END>();
    return {.event = 1e-9 * (static_cast<double>(end) - static_cast<double>(begin)), .host = host.count()};
  }

 private:
  static constexpr size_t items = 64;
  Kernel kernel_;
  Buffer sums_;
  Device::State& native_;
  cl::CommandQueue queue_;
  cl::Kernel cl_kernel_;
};

}  // namespace

bool times_agree(double event_seconds, double host_seconds) {
  // The host also waits for the start; the two clocks may tick a little apart.
  return event_seconds >= 0.5 * host_seconds && event_seconds <= 1.01 * host_seconds;
}

bool event_clock_is_sound(Device& device) {
  constexpr double long_enough = 0.02;
  constexpr cl_int first = 1 << 10, longest = 1 << 26;
  constexpr int attempts = 5;  // a busy machine delays the start
  return checked(device.info().name, [&] {
    Stopwatch stopwatch(device);
    cl_int rounds = first;
    while (rounds < longest && stopwatch.time(rounds).host < long_enough) rounds *= 2;
    for (int attempt = 0; attempt < attempts; ++attempt) {
      const Times times = stopwatch.time(rounds);
      if (times_agree(times.event, times.host)) return true;
    }
    return false;
  });
}

}  // namespace vitcl
