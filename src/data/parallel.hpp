#pragma once

#include <cstddef>
#include <functional>

namespace vitcl::data {

/// Threads that decode where nobody asks for another number: as many as the processor runs at once.
size_t default_workers();

/// Calls body(0) .. body(count - 1), each once, from `workers` threads, the caller's among them. Where calls throw, the
/// rest is left out and the error of the lowest index that was met is rethrown.
void for_each_index(size_t count, size_t workers, const std::function<void(size_t)>& body);

}  // namespace vitcl::data
