#include "drivers.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include "command.hpp"

namespace vitcl::cli {

std::unique_ptr<DriverGuard> guard_drivers(const Notes& note, double seconds) {
  const std::vector<std::string> command = {"/proc/self/exe", "check-driver"};
  auto guard = std::make_unique<DriverGuard>(command, seconds);
  for (const DriverCheck& driver : guard->drivers()) {
    if (!driver.failure.empty()) note("left out the driver {}: {}", driver.icd.string(), driver.failure);
  }
  return guard;
}

/// Not for users: guard_drivers() starts it, so that a driver that crashes or hangs takes nothing with it.
Command add_check_driver(CLI::App& root) {
  CLI::App* app = root.add_subcommand("check-driver", "List and open the devices of the drivers")->group("");
  return {app, [] {
            constexpr unsigned longest = 600;  // should the process that started this one be gone
            alarm(longest);
            const rlimit no_core_file{0, 0};
            setrlimit(RLIMIT_CORE, &no_core_file);
            print("{}", answer_driver_check());
            return exit_done;
          }};
}

}  // namespace vitcl::cli
