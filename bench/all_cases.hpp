#pragma once

#include <string>
#include <vector>

#include "cases/op_case.hpp"

namespace vitcl::test {

struct OpCases {
  std::string op;
  CaseList cases;
};

/// The cases of every op; generated from the files in tests/cases.
std::vector<OpCases> all_cases();

}  // namespace vitcl::test
