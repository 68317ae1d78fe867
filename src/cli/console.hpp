#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

namespace vitcl::cli {

// What the user reads. Results go to stdout; progress, notes and errors to stderr.

/// Whether colours may be used: a terminal, and NO_COLOR unset or empty.
bool has_colour(std::FILE* stream);
bool is_terminal(std::FILE* stream);
/// Columns of the terminal behind stderr; 80 where unknown.
size_t terminal_width();

template <class... Args>
void print(fmt::format_string<Args...> format, Args&&... args) {
  fmt::print(stdout, format, std::forward<Args>(args)...);
}

/// Lines on stderr, unless --quiet.
class Notes {
 public:
  explicit Notes(bool quiet) : quiet_(quiet) {}
  bool quiet() const { return quiet_; }
  template <class... Args>
  void operator()(fmt::format_string<Args...> format, Args&&... args) const {
    if (quiet_) return;
    fmt::print(stderr, format, std::forward<Args>(args)...);
    std::fputc('\n', stderr);
  }

 private:
  bool quiet_;
};

/// The text with the control characters that a terminal would obey, all but tabs and line breaks, as question marks;
/// for what comes from files.
std::string printable(std::string text);

/// "vitcl: message" on stderr.
void print_error(const std::string& message);

/// 1234567 as "1,234,567".
std::string grouped(size_t number);
/// "83.2 MB", "1.2 KB".
std::string in_bytes(double bytes);
/// "1.9 G", "83.2 M", "" for 0.
std::string in_flops(double flops);
/// "1:02:03", "2:05", "0:09".
std::string clock_time(double seconds);

}  // namespace vitcl::cli
