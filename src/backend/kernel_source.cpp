#include "backend/kernel_source.hpp"

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "backend/embedded_kernels.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl {
namespace {

std::string read_text(const std::string& file) {
  if (const char* folder = std::getenv("VITCL_KERNEL_DIR"); folder != nullptr && *folder != '\0') {
    const std::string path = std::string(folder) + "/" + file;
    std::ifstream stream(path, std::ios::binary);
    if (!stream) throw DeviceError(fmt::format("kernel file {} can't be read (VITCL_KERNEL_DIR is set)", path));
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  const auto files = embedded_kernels();
  const auto found = std::find_if(files.begin(), files.end(), [&](const auto& f) { return f.name == file; });
  if (found == files.end()) throw DeviceError(fmt::format("there is no kernel file cl/{}", file));
  return std::string(found->text);
}

// The file named by a line `#include "name"`, or empty.
std::string_view included(std::string_view line) {
  constexpr std::string_view directive = "#include \"";
  const auto start = line.find_first_not_of(" \t");
  if (start == std::string_view::npos || line.substr(start, directive.size()) != directive) return {};
  const auto name = line.substr(start + directive.size());
  return name.substr(0, name.find('"'));
}

void append(const std::string& file, std::set<std::string>& seen, std::string& out) {
  if (!seen.insert(file).second) return;
  const std::string text = read_text(file);
  out += fmt::format("#line 1 \"cl/{}\"\n", file);
  size_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const auto line = std::string_view(text).substr(at, end - at);
    ++number;
    if (const auto name = included(line); !name.empty()) {
      append(std::string(name), seen, out);
      out += fmt::format("#line {} \"cl/{}\"\n", number + 1, file);
    } else {
      out.append(line).push_back('\n');
    }
    at = end + 1;
  }
}

}  // namespace

std::string load_kernel_source(std::string_view file) {
  std::set<std::string> seen;
  std::string out;
  append(std::string(file), seen, out);
  return out;
}

uint64_t kernel_sources_hash() {
  std::string all;
  for (const EmbeddedFile& file : embedded_kernels()) {
    const std::string name(file.name);
    try {
      all += fmt::format("{}\n{}\n", name, read_text(name));
    } catch (const DeviceError&) {
      all += name + " is missing\n";  // from VITCL_KERNEL_DIR, of which a program may need other files only
    }
  }
  return XXH3_64bits(all.data(), all.size());
}

}  // namespace vitcl
