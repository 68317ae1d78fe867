// An OpenCL driver that breaks at the first thing the loader asks of it, in the way that the macro FAULT names.
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace {

[[maybe_unused]] void crash() { std::abort(); }

[[maybe_unused]] void hang() {
  while (true) pause();
}

[[maybe_unused]] void babble() {
  constexpr std::string_view noise = "driver 0.1 loaded\n\x01\x02 {\"devices\": [\n";
  if (write(STDOUT_FILENO, noise.data(), noise.size()) < 0) std::abort();
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void* clGetExtensionFunctionAddress(const char*);

void* clGetExtensionFunctionAddress(const char*) {
  FAULT();
  return nullptr;
}
