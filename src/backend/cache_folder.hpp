#pragma once

#include <filesystem>

namespace vitcl {

/// Where vitcl keeps what it can do without: $VITCL_CACHE_DIR, else $XDG_CACHE_HOME/vitcl, else ~/.cache/vitcl; empty
/// where none of these is set.
std::filesystem::path cache_folder();

}  // namespace vitcl
