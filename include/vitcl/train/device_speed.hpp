#pragma once

#include <string>
#include <vector>

#include "vitcl/backend/tuning_store.hpp"
#include "vitcl/train/tuner.hpp"

namespace vitcl::train {

/// One training step of the article's model with 100 images, with what the tuner found for the device: the least time
/// of some, after a warm-up; a second once the kernels are compiled, more on slow devices. The operations are the plain
/// model's, so that GFLOP/s compare devices whatever kernels they take.
Measurement time_training(const DeviceInfo& device);

/// Has a process of its own do that, which crashes and hangs alone, and keeps what it measured in the store. `command`
/// starts it; it prints to_json(time_training(...)). Throws StorageError where it can't be started, or nothing be kept.
Measurement measure_training(const DeviceInfo& device, const TuningStore& store,
                             const std::vector<std::string>& command, double seconds);

}  // namespace vitcl::train
