#pragma once

#include <map>
#include <string>
#include <vector>

namespace vitcl {

struct ChildResult {
  std::string out;         ///< what it wrote to standard output
  int status = 0;          ///< as waitpid() gives it
  bool timed_out = false;  ///< it was killed
};

/// Runs a program to its end, or kills it after so many seconds. It reads nothing, and its standard error is dropped.
/// `variables` are set in its environment, beside this process's. Throws StorageError where it can't be started.
ChildResult run_child(const std::vector<std::string>& command, double seconds,
                      const std::map<std::string, std::string>& variables = {});

/// How a child that ended by a signal died: "it crashed: signal 11 (Segmentation fault)"; empty for any other.
std::string crash_of(const ChildResult& child);

}  // namespace vitcl
