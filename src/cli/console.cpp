#include "console.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace vitcl::cli {

bool is_terminal(std::FILE* stream) { return isatty(fileno(stream)) != 0; }

bool has_colour(std::FILE* stream) {
  const char* refused = std::getenv("NO_COLOR");
  return is_terminal(stream) && (refused == nullptr || *refused == '\0');
}

size_t terminal_width() {
  winsize size{};
  if (ioctl(fileno(stderr), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

std::string printable(std::string text) {
  constexpr char escape = 0x7f;
  std::replace_if(
      text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ' && c != '\n' && c != '\t') || c == escape; },
      '?');
  return text;
}

void print_error(const std::string& message) {
  const char* red = has_colour(stderr) ? "\x1b[31m" : "";
  const char* plain = has_colour(stderr) ? "\x1b[0m" : "";
  fmt::print(stderr, "{}vitcl:{} {}\n", red, plain, printable(message));
}

std::string grouped(size_t number) {
  std::string digits = std::to_string(number);
  for (size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

std::string in_bytes(double bytes) {
  if (bytes < 1e3) return fmt::format("{:.0f} B", bytes);
  if (bytes < 1e6) return fmt::format("{:.1f} KB", bytes * 1e-3);
  if (bytes < 1e9) return fmt::format("{:.1f} MB", bytes * 1e-6);
  return fmt::format("{:.1f} GB", bytes * 1e-9);
}

std::string in_flops(double flops) {
  if (flops <= 0) return "";
  if (flops < 1e6) return fmt::format("{:.1f} K", flops * 1e-3);
  if (flops < 1e9) return fmt::format("{:.1f} M", flops * 1e-6);
  return fmt::format("{:.1f} G", flops * 1e-9);
}

std::string clock_time(double seconds) {
  auto whole = static_cast<size_t>(std::lround(std::max(seconds, 0.0)));
  size_t hours = whole / 3600, minutes = whole / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60);
  return fmt::format("{}:{:02}", minutes, whole % 60);
}

}  // namespace vitcl::cli
