#include "vitcl/backend/variables.hpp"

#include <algorithm>
#include <string_view>

extern char** environ;

namespace vitcl {
namespace {

// What the names of variables begin with, and whose they are.
constexpr std::string_view beginnings[] = {
    "VITCL_",
    "OCL_ICD_",  // ocl-icd, the Khronos loader
    "OPENCL_",
    "POCL_",
    "RUSTICL_",  // Mesa's rusticl and llvmpipe
    "LP_",
    "MESA_SHADER_CACHE_",
    "CL_CONFIG_",  // Intel's CPU runtime
    "ZE_AFFINITY_MASK",
    "NEO_CACHE_",
    "CUDA_CACHE_",  // NVIDIA
    "CUDA_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",  // AMD
    "ROCR_VISIBLE_DEVICES",
    "OCLGRIND_",
};

}  // namespace

std::map<std::string, std::string> relevant_variables() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto is_prefix = [&](std::string_view beginning) { return text.starts_with(beginning); };
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos || std::ranges::none_of(beginnings, is_prefix)) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

}  // namespace vitcl
