#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "vitcl/backend/device.hpp"
#include "vitcl/backend/verdict_store.hpp"

namespace vitcl::selftest {

/// How an op, or a whole training step, did.
struct OpResult {
  std::string op;
  size_t inputs = 0;                       ///< shapes and options that were tried
  double worst_error = 0;                  ///< in `unit`; infinite or NaN where a result was
  std::string unit;                        ///< "of its limit" or "ulp"
  std::vector<std::string> failures = {};  ///< each names the input, the kernels and the difference
};

struct Report {
  std::vector<OpResult> ops;
  double seconds = 0;
  bool passed() const;
  Verdict verdict() const;
};

/// Holds a device to plain definitions in double: every op of a training step at small hostile shapes (1, primes, no
/// multiple of any tile), forward, and backward in every combination of gradient modes, between guards; integer-valued
/// data to the bit where sums are exact; exp, log and GELU in units in the last place; and a tiny Vision Transformer's
/// training steps, fused and plain. Ops run what they choose by themselves. About two seconds, once the driver has the
/// kernels compiled. What fails is told in the report; nothing is thrown.
Report run(const DeviceInfo& device);

/// A report as one line of JSON.
std::string to_json(const Report& report);

/// Runs `command` in a process of its own, which prints to_json(run(...)) on standard output. A driver that crashes,
/// hangs for so many seconds or prints something else fails the report.
Report examine(const std::vector<std::string>& command, double seconds);

}  // namespace vitcl::selftest
