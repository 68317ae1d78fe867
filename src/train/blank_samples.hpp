#pragma once

#include "vitcl/backend/queue.hpp"
#include "vitcl/train/config.hpp"
#include "vitcl/train/device_samples.hpp"

namespace vitcl::train {

/// Black images of the model's size, all of class 0: for plans and times, which don't depend on the pixels.
DeviceSamples blank_samples(Queue& queue, const models::ViTConfig& model, size_t count);

}  // namespace vitcl::train
