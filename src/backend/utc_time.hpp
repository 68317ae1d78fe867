#pragma once

#include <ctime>
#include <string>

namespace vitcl {

/// Now, as "2025-01-31T23:59:59Z".
inline std::string utc_time() {
  char text[32];
  const std::time_t time = std::time(nullptr);
  std::tm calendar{};
  gmtime_r(&time, &calendar);
  return std::string(text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &calendar));
}

}  // namespace vitcl
