#pragma once

#include "vitcl/backend/queue.hpp"

namespace vitcl::train {

/// Seconds that `commands` take: the least of several batches of them, queued back to back.
double best_seconds(Queue& queue, const CommandList& commands);

}  // namespace vitcl::train
