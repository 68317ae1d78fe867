#pragma once

#include <string>

namespace vitcl::train {

/// The first line of a message, and the first that tells of an error: compilers have much to say.
std::string shortened(const std::string& message);

}  // namespace vitcl::train
