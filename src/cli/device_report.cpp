#include "device_report.hpp"

namespace vitcl::cli {

std::string describe(const DeviceInfo& device) {
  const std::string of = device.part ? fmt::format(" of {}", device.part->of) : "";
  return fmt::format("{} ({}, {}{} units)", device.name, device.alias.empty() ? device.platform : device.alias,
                     device.caps.compute_units, of);
}

void print_profile(Device& device) {
  if (device.caps().profiling_clock_broken) {
    print("\nprofile: the clock of {} is unusable, its times mean nothing\n", device.info().name);
    return;
  }
  const std::vector<KernelProfile> kernels = device.queue().profile();
  double total = 0;
  for (const KernelProfile& kernel : kernels) total += kernel.seconds;
  print("\n{:<36} {:>9} {:>10} {:>10} {:>7} {:>9} {:>8}\n", "KERNEL", "CALLS", "TIME", "PER CALL", "SHARE", "GFLOP/s",
        "GB/s");
  for (const KernelProfile& kernel : kernels) {
    const double seconds = kernel.seconds > 0 ? kernel.seconds : 1e-9;  // one tick of the clock
    print("{:<36} {:>9} {:>8.3f} s {:>7.1f} us {:>5.1f} % {:>9.1f} {:>8.1f}\n", kernel.name, kernel.calls,
          kernel.seconds, 1e6 * kernel.seconds / static_cast<double>(kernel.calls), 100 * kernel.seconds / total,
          1e-9 * kernel.flops / seconds, 1e-9 * kernel.bytes / seconds);
  }
  print("{:<36} {:>9} {:>8.3f} s\n", "all kernels", "", total);
}

}  // namespace vitcl::cli
