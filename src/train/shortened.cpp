#include "shortened.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace vitcl::train {

std::string shortened(const std::string& message) {
  const size_t end = std::min(message.find('\n'), message.size());
  std::string text = message.substr(0, end);
  if (const size_t error = message.find("error:", end); error != std::string::npos) {
    text = fmt::format("{} {}", text, message.substr(error, message.find('\n', error) - error));
  }
  constexpr size_t most = 240;
  return text.size() > most ? fmt::format("{}...", text.substr(0, most)) : text;
}

}  // namespace vitcl::train
