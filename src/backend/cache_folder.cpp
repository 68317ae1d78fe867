#include "backend/cache_folder.hpp"

#include <cstdlib>

namespace vitcl {

std::filesystem::path cache_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::filesystem::path(value == nullptr ? "" : value);
  };
  if (auto own = variable("VITCL_CACHE_DIR"); !own.empty()) return own;
  if (const auto xdg = variable("XDG_CACHE_HOME"); !xdg.empty()) return xdg / "vitcl";
  if (const auto home = variable("HOME"); !home.empty()) return home / ".cache" / "vitcl";
  return {};
}

}  // namespace vitcl
