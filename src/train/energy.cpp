#include "energy.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace vitcl::train {

std::optional<double> energy_counter() {
  std::optional<double> joules;
  std::error_code ignored;
  for (const auto& zone : std::filesystem::directory_iterator("/sys/class/powercap", ignored)) {
    // Packages are NAME:N; what lies within one, NAME:N:M, is counted by it.
    const std::string name = zone.path().filename().string();
    double microjoules = 0;
    std::ifstream file(zone.path() / "energy_uj");
    if (std::ranges::count(name, ':') == 1 && file >> microjoules) joules = joules.value_or(0) + 1e-6 * microjoules;
  }
  return joules;
}

}  // namespace vitcl::train
