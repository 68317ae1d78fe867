#pragma once

#include "backend/child_process.hpp"
#include "vitcl/train/tuner.hpp"

namespace vitcl::train {

/// What a process says that was to print to_json(Measurement) within so many seconds.
Measurement read_answer(const ChildResult& child, double seconds);

}  // namespace vitcl::train
