#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "vitcl/backend/device.hpp"
#include "vitcl/io/bundle.hpp"

namespace vitcl::train {

/// A deviation from the reference and how large it may be.
struct Deviation {
  std::string name;
  double error = 0;
  double limit = 0;
  bool ok() const { return error <= limit; }  // a NaN is not
};

/// How a device's results compare to a bundle's.
struct Verification {
  Deviation logits;                  ///< the largest |d|; limit 1e-5 of the largest |reference|
  Deviation loss;                    ///< |d|; limit 1e-5 |reference|
  Deviation losses;                  ///< of five Adam steps, the worst |d| / |reference|; limit 1e-4
  Deviation adam1;                   ///< one Adam step from the bundle's own gradients, the worst element's |d|
  std::vector<Deviation> gradients;  ///< by the bundle's names: |d|_2; limit 1e-4 |g|_2 + 1e-7 |all gradients|_2
  bool ok() const;
};

/// Runs the bundle's model on the device: forward, backward, Adam alone, and five training steps. The limit of an
/// element of adam1 is 1e-4 lr + 1 ulp of the parameter.
Verification verify(Device& device, const io::Bundle& bundle, bool fuse = true);

}  // namespace vitcl::train
