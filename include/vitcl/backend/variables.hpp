#pragma once

#include <map>
#include <string>

namespace vitcl {

/// The variables of this process's environment that decide what OpenCL's loader, its drivers or vitcl do, as they are
/// set, by name: OCL_ICD_VENDORS, POCL_MAX_PTHREAD_COUNT, RUSTICL_ENABLE, CUDA_CACHE_PATH, VITCL_CACHE_DIR, ...
std::map<std::string, std::string> relevant_variables();

}  // namespace vitcl
