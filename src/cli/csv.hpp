#pragma once

#include <string>
#include <vector>

namespace vitcl::cli {

/// One line of comma-separated values (RFC 4180, with a plain line feed at its end): a field with a comma, quote or
/// line break stands in quotes.
inline std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (const std::string& field : fields) {
    if (&field != &fields.front()) line += ',';
    if (field.find_first_of(",\"\r\n") == std::string::npos) {
      line += field;
      continue;
    }
    line += '"';
    for (const char c : field) line += c == '"' ? "\"\"" : std::string(1, c);
    line += '"';
  }
  return line + '\n';
}

}  // namespace vitcl::cli
