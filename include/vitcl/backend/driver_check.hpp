#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace vitcl {

/// A driver that the OpenCL loader would load, and what became of it in a process of its own.
struct DriverCheck {
  std::filesystem::path icd;  ///< the .icd file that names it
  std::string failure;        ///< why it is not to be loaded; empty where it may be
};

/// Keeps drivers that crash, hang or write to standard output out of this process. The loader loads every driver at the
/// first OpenCL call, so that one such driver takes the program with it; construct a guard before that call, while the
/// process has one thread. Every driver is tried in a process of its own, all at once; where some fail, OCL_ICD_VENDORS
/// is set to a folder that names the others, for this process and those that it starts. The folder goes with the guard,
/// which should therefore live as long as they.
class DriverGuard {
 public:
  /// `command` starts a process that calls answer_driver_check(); one that takes longer than `seconds` is killed.
  /// Throws StorageError where it can't be started, or the folder can't be made.
  DriverGuard(const std::vector<std::string>& command, double seconds);
  ~DriverGuard();
  DriverGuard(const DriverGuard&) = delete;
  DriverGuard& operator=(const DriverGuard&) = delete;

  /// What was tried, in the order of the .icd files' names.
  const std::vector<DriverCheck>& drivers() const { return drivers_; }

 private:
  DriverGuard() = default;
  std::filesystem::path folder_;
  std::vector<DriverCheck> drivers_;
};

/// In the process that a guard starts: lists and opens the devices of its driver, and returns what it shall write to
/// standard output.
std::string answer_driver_check();

}  // namespace vitcl
