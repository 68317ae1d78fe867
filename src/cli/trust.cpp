#include "trust.hpp"

#include "device_report.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::cli {
selftest::Report examine(const DeviceInfo& device, double seconds, const Notes& note) {
  selftest::Report report =
      selftest::examine({"/proc/self/exe", "doctor-device", "--device", device.selector()}, seconds);
  try {
    VerdictStore().save(device, report.verdict());
  } catch (const StorageError& error) {
    note("the verdict on {} is not kept: {}", device.name, error.what());
  }
  return report;
}

void require_trusted(const DeviceInfo& device, bool trust, const Notes& note) {
  if (trust) return;
  std::optional<Verdict> verdict = VerdictStore().load(device);
  if (!verdict) {
    note("testing {} before its first run; seconds, and minutes where its driver compiles slowly", describe(device));
    constexpr double longest = 1800;
    verdict = examine(device, longest, note).verdict();
  }
  if (verdict->passed()) return;
  throw DeviceError(
      fmt::format("{} fails its self-test, so that nothing it computes can be relied on: {}\n"
                  "`vitcl doctor --device {}` tests it again and tells all that is wrong; --trust uses it all the same",
                  describe(device), verdict->failure, device.selector()));
}

}  // namespace vitcl::cli
