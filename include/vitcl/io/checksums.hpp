#pragma once

#include "vitcl/io/safetensors.hpp"

namespace vitcl::io {

// The metadata entry "checksums" of the files that vitcl writes: a JSON object of 32 hexadecimal digits (XXH3, 128
// bits) for each tensor, of its type, shape and bytes, and under "__metadata__", which can't be a tensor's name, for
// all other metadata.

/// Adds the entry, in place of one that is there.
void add_checksums(SafeTensors& file);

/// Throws DamagedFile naming the first tensor that is not what was written, missing or new. A file without the entry,
/// as other programs and earlier versions write it, passes.
void verify_checksums(const SafeTensors& file);

}  // namespace vitcl::io
