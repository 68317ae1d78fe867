#pragma once

#include <string>
#include <vector>

namespace vitcl::train {

struct ChildResult {
  std::string out;         ///< what it wrote to standard output
  int status = 0;          ///< as waitpid() gives it
  bool timed_out = false;  ///< it was killed
};

/// Runs a program to its end, or kills it after so many seconds. It reads nothing, and its standard error is dropped.
/// Throws StorageError where it can't be started.
ChildResult run_child(const std::vector<std::string>& command, double seconds);

}  // namespace vitcl::train
