#pragma once

#include "vitcl/backend/device.hpp"

namespace vitcl::train {

/// The most arithmetic that a device was seen to do, in FLOP/s, a fused multiply-add being two: independent chains of
/// float16 on all compute units, nothing read (cl/fma_peak.cl). The best of several numbers of chains and of repeats,
/// as a limit has to be; takes less than a second once the kernels are compiled.
double fma_peak(Device& device);

}  // namespace vitcl::train
