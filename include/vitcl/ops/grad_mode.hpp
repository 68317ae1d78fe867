#pragma once

namespace vitcl::ops {

/// What a backward pass does with a gradient tensor that it is given. `overwrite` never reads what was there.
enum class GradMode { overwrite, accumulate };

}  // namespace vitcl::ops
