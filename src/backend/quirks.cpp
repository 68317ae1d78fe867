#include "backend/quirks.hpp"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace vitcl {
namespace {

bool contains(const std::string& text, std::string_view part) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

std::vector<std::string> aliases_of(const DeviceInfo& info) {
  if (contains(info.platform, "portable computing language")) return {"pocl"};
  if (contains(info.platform, "oclgrind")) return {"oclgrind"};
  if (contains(info.platform, "rusticl")) {
    if (contains(info.name, "llvmpipe")) return {"llvmpipe", "rusticl"};
    return {"rusticl"};
  }
  if (contains(info.platform, "intel")) return {"intel"};
  if (contains(info.platform, "nvidia")) return {"nvidia"};
  if (contains(info.platform, "amd")) return {"amd"};
  return {};
}

}  // namespace

void apply_quirks(DeviceInfo& info) {
  info.aliases = aliases_of(info);
  info.alias = info.aliases.empty() ? "" : info.aliases.front();
  DeviceCaps& caps = info.caps;
  // PoCL keeps compiled kernels under $XDG_CACHE_HOME/pocl; asking it for binaries makes it compile slower, generic
  // code (https://portablecl.org/docs/html/env_variables.html, POCL_CACHE_DIR). NVIDIA and Mesa keep caches too.
  caps.driver_caches_programs =
      info.alias == "pocl" || info.alias == "nvidia" || info.alias == "rusticl" || info.alias == "llvmpipe";
  if (info.alias == "llvmpipe") {
    // llvmpipe's compiler needs minutes for kernels with dozens of live float16 values, and its event times are all
    // zero (rusticl of Mesa 22.3; https://docs.mesa3d.org/rusticl.html calls it experimental).
    caps.type = DeviceType::cpu;
    caps.small_kernels_only = true;
    caps.profiling_clock_broken = true;
  }
  // Intel's CPU runtime (2026.22.10) takes 10 to 60 s for the kernels of one shape of fused encoder block.
  caps.slow_compiler = info.alias == "intel" && caps.type == DeviceType::cpu;
  if (info.alias == "oclgrind") {
    // An interpreter that reports every device type at once and times nothing (https://github.com/jrprice/Oclgrind).
    caps.type = DeviceType::cpu;
    caps.profiling_clock_broken = true;
    caps.interpreter = true;
  }
}

int preference_rank(const DeviceInfo& info) {
  static constexpr std::string_view order[] = {"pocl", "intel", "", "rusticl", "llvmpipe", "oclgrind"};
  const auto* found = std::find(std::begin(order), std::end(order), info.alias);
  return static_cast<int>((found == std::end(order) ? std::begin(order) + 2 : found) - std::begin(order));
}

}  // namespace vitcl
