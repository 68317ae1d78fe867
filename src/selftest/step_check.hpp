#pragma once

#include "selftest/op_check.hpp"

namespace vitcl::selftest {

/// Training steps of a tiny Vision Transformer, fused or plain, against the reference in double: logits, loss, every
/// gradient, Adam, and five steps' losses, with the limits of train::verify(). `worst_share` is raised to the largest
/// error as a share of its limit.
Problems check_training_step(Device& device, bool fuse, double& worst_share);

}  // namespace vitcl::selftest
