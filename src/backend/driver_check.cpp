#include "vitcl/backend/driver_check.hpp"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <future>
#include <string_view>
#include <system_error>

#include "backend/child_process.hpp"
#include "vitcl/backend/device.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl {
namespace {

namespace fs = std::filesystem;

constexpr const char* vendors_variable = "OCL_ICD_VENDORS";
constexpr std::string_view sound_answer = "vitcl: the driver is sound\n";
constexpr std::string_view failure_answer = "vitcl: the driver fails: ";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Where the loader finds drivers (https://github.com/OCL-dev/ocl-icd/blob/master/doc/libOpenCL.7.txt): a folder, or
/// a single driver.
fs::path vendors() {
  for (const char* name : {vendors_variable, "OPENCL_VENDOR_PATH"}) {
    if (const std::string place = variable(name); !place.empty()) return place;
  }
  return "/etc/OpenCL/vendors";
}

std::vector<fs::path> icd_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".icd") files.push_back(fs::absolute(entry.path()));
  }
  std::ranges::sort(files);
  return files;
}

fs::path temporary_folder() {
  std::string name = (fs::temp_directory_path() / "vitcl-drivers-XXXXXX").string();
  if (mkdtemp(name.data()) != nullptr) return name;
  throw StorageError(fmt::format("can't make the folder {}: {}", name, std::generic_category().message(errno)));
}

/// The beginning of a driver's own words, in a line.
std::string printable(std::string text) {
  constexpr size_t longest = 200;
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.pop_back();
  if (text.size() > longest) text.replace(longest, std::string::npos, "...");
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

/// Makes a folder that names these drivers: what every loader takes, whereas only some take a file, or a list of them.
fs::path make_vendors(const fs::path& folder, const std::vector<fs::path>& icds) {
  fs::create_directory(folder);
  for (const fs::path& icd : icds) fs::create_symlink(icd, folder / icd.filename());
  return folder;
}

/// What is wrong with the driver that the child has tried; empty for a sound one.
std::string fault_of(const ChildResult& child, double seconds) {
  if (std::string failure = failure_of(child, seconds); !failure.empty()) return failure;
  if (child.out == sound_answer) return "";
  const bool answered = child.out.starts_with(failure_answer);
  const size_t end = child.out.ends_with(sound_answer) ? child.out.size() - sound_answer.size() : child.out.size();
  const size_t begin = answered ? failure_answer.size() : 0;
  const std::string text = printable(child.out.substr(begin, end - begin));
  if (answered) return text;
  if (!child.out.empty()) return fmt::format("it wrote to standard output: \"{}\"", text);
  return fmt::format("it ended the process with exit code {}", WEXITSTATUS(child.status));
}

}  // namespace

DriverGuard::DriverGuard(const std::vector<std::string>& command, double seconds) : DriverGuard() {
  const fs::path place = vendors();
  std::error_code error;
  const bool is_folder = fs::is_directory(place, error);
  const bool is_driver = !is_folder && !variable(vendors_variable).empty();
  for (const fs::path& icd : is_driver ? std::vector{place} : icd_files(place)) drivers_.push_back({icd, ""});
  if (drivers_.empty()) return;
  folder_ = temporary_folder();
  std::vector<std::future<ChildResult>> children;
  for (const DriverCheck& driver : drivers_) {
    const auto own = folder_ / std::to_string(children.size());
    const std::string alone = is_driver ? place : make_vendors(own, {driver.icd});
    children.push_back(std::async(std::launch::async, [=] {
      return run_child(command, seconds, {{vendors_variable, alone}});
    }));
  }
  std::vector<fs::path> sound;
  for (size_t i = 0; i < drivers_.size(); ++i) {
    drivers_[i].failure = fault_of(children[i].get(), seconds);
    if (drivers_[i].failure.empty()) sound.push_back(drivers_[i].icd);
  }
  if (sound.size() == drivers_.size()) return;
  setenv(vendors_variable, make_vendors(folder_ / "sound", sound).c_str(), 1);
}

DriverGuard::~DriverGuard() {
  std::error_code error;
  if (!folder_.empty()) fs::remove_all(folder_, error);
}

std::string answer_driver_check() {
  try {
    for (const DeviceInfo& info : list_devices()) {
      try {
        Device device(info);
      } catch (const DeviceError&) {
        // It may be busy or lost; whoever wants it is told then. Here only a crash or a hang matters.
      }
    }
  } catch (const Error& error) {
    return std::string(failure_answer) + error.what();
  }
  return std::string(sound_answer);
}

}  // namespace vitcl
