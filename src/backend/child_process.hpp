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

/// The last line that it wrote: a driver may print, too.
std::string last_line(const ChildResult& child);

/// Why a child that was to answer within so many seconds has not, if so: its time was over, or it crashed.
std::string failure_of(const ChildResult& child, double seconds);

/// How a child that ended by a signal died: "it crashed: signal 11 (Segmentation fault)"; empty for any other.
std::string crash_of(const ChildResult& child);

}  // namespace vitcl
