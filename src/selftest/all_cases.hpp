#pragma once

#include <string>
#include <vector>

#include "selftest/cases/op_case.hpp"

namespace vitcl::selftest {

struct OpCases {
  std::string op;
  CaseList cases;
};

/// The cases of every op; generated from the files in cases/.
std::vector<OpCases> all_cases();

}  // namespace vitcl::selftest
