# Makes the table of every op's cases (src/selftest/all_cases.hpp) from the files of a folder: NAME_case.hpp defines
# NAME_cases().
function(vitcl_all_cases target folder)
  file(GLOB cases CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*_case.hpp)
  list(REMOVE_ITEM cases op_case.hpp)
  set(includes "")
  set(rows "")
  foreach(case IN LISTS cases)
    string(REGEX REPLACE "_case\\.hpp$" "" op ${case})
    string(APPEND includes "#include \"selftest/cases/${case}\"\n")
    string(APPEND rows "      {\"${op}\", ${op}_cases()},\n")
  endforeach()
  set(generated ${CMAKE_BINARY_DIR}/generated/all_cases.cpp)
  file(CONFIGURE OUTPUT ${generated} CONTENT [[
#include "selftest/all_cases.hpp"

@includes@
namespace vitcl::selftest {

std::vector<OpCases> all_cases() {
  return {
@rows@  };
}

}  // namespace vitcl::selftest
]] @ONLY)
  target_sources(${target} PRIVATE ${generated})
endfunction()
