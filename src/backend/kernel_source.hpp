#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vitcl {

/// The text of cl/<file> with its `#include "..."` lines replaced by the files they name, each at most once, and #line
/// directives so that a compiler's message names "cl/<file>:<line>". Read from the folder VITCL_KERNEL_DIR where that
/// is set, else from the embedded copies. Throws DeviceError naming the file that is missing.
std::string load_kernel_source(std::string_view file);

/// A hash of every kernel file's name and text, read from where load_kernel_source() reads them.
uint64_t kernel_sources_hash();

}  // namespace vitcl
