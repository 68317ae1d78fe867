#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "selftest/cases/op_case.hpp"
#include "support/devices.hpp"

namespace vitcl::selftest {
inline void PrintTo(const std::shared_ptr<const OpCase>& op_case, std::ostream* out) { *out << op_case->name(); }
}  // namespace vitcl::selftest

namespace vitcl::test {

// The tests that every op has come from its cases. An op's test file needs these two lines and what is special about
// it:
//   INSTANTIATE_TEST_SUITE_P(Gelu, OpTest, on_every_device(gelu_cases()), op_test_name);
//   INSTANTIATE_TEST_SUITE_P(Gelu, ReferenceTest, each_case(gelu_cases()), case_name);

struct CaseOnDevice {
  std::shared_ptr<const OpCase> op_case;
  TestDevice device;
};
inline std::ostream& operator<<(std::ostream& out, const CaseOnDevice& param) {
  return out << param.op_case->name() << " on " << param.device;
}

/// Device against reference; see op_check.hpp.
class OpTest : public ::testing::TestWithParam<CaseOnDevice> {};
/// The reference by itself, on the host.
class ReferenceTest : public ::testing::TestWithParam<std::shared_ptr<const OpCase>> {};

/// Every case with every device, less those that the device can't run and those that are too much work for it.
inline auto on_every_device(const CaseList& cases) {
  std::vector<CaseOnDevice> params;
  for (const TestDevice& device : test_devices()) {
    for (const auto& op_case : cases) {
      const Cost forward = op_case->forward_cost(), backward = op_case->backward_cost();
      const double work = forward.flops + forward.bytes + backward.flops + backward.bytes;
      if (work <= work_limit(device.info) && !op_case->implementations(device.info).empty())
        params.push_back({op_case, device});
    }
  }
  return ::testing::ValuesIn(params);
}
/// "pocl_cpu__17x65".
inline std::string op_test_name(const ::testing::TestParamInfo<CaseOnDevice>& info) {
  return info.param.device.slug + "__" + info.param.op_case->name();
}

/// The cases with a backward that are small enough to be differentiated numerically.
inline auto each_case(const CaseList& cases) {
  constexpr double affordable = 1e6;
  CaseList chosen;
  for (const auto& op_case : cases) {
    const Cost cost = op_case->forward_cost();
    if (has_backward(*op_case) && cost.flops + cost.bytes <= affordable) chosen.push_back(op_case);
  }
  return ::testing::ValuesIn(chosen);
}
inline std::string case_name(const ::testing::TestParamInfo<std::shared_ptr<const OpCase>>& info) {
  return info.param->name();
}

}  // namespace vitcl::test
