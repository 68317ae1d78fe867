#pragma once

#include <cstdlib>
#include <optional>
#include <string>

namespace vitcl::selftest {

/// Sets VITCL_IMPL for as long as it lives; "" removes it.
class ForceImpl {
 public:
  explicit ForceImpl(const std::string& value) {
    if (const char* old = std::getenv(variable)) old_ = old;
    set(value);
  }
  ~ForceImpl() { set(old_.value_or("")); }
  ForceImpl(const ForceImpl&) = delete;
  ForceImpl& operator=(const ForceImpl&) = delete;

 private:
  static void set(const std::string& value) {
    if (value.empty()) {
      ::unsetenv(variable);
    } else {
      ::setenv(variable, value.c_str(), 1);
    }
  }
  static constexpr const char* variable = "VITCL_IMPL";
  std::optional<std::string> old_;
};

}  // namespace vitcl::selftest
