#pragma once

#include <string>
#include <vector>

#include "vitcl/backend/device.hpp"

namespace vitcl::selftest {

/// The values of VITCL_IMPL for an op that has `first` for CPU devices and `second` for the others. Where a device's
/// compiler can't digest the first, the default (the second there) is all there is to run.
inline std::vector<std::string> both_shapes(const std::string& op, const std::string& first, const std::string& second,
                                            const DeviceInfo& info) {
  if (info.caps.small_kernels_only) return {""};
  return {"", op + ":" + first, op + ":" + second};
}
inline std::vector<std::string> elementwise_shapes(const std::string& op, const DeviceInfo& info) {
  return both_shapes(op, "chunks", "items", info);
}
inline std::vector<std::string> row_shapes(const std::string& op, const DeviceInfo& info) {
  return both_shapes(op, "rows", "work_group", info);
}

}  // namespace vitcl::selftest
