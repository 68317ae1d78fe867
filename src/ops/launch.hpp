#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vitcl/backend/device.hpp"
#include "vitcl/tensor/tensor.hpp"

// How ops deal their work to work-items.
namespace vitcl::ops {

/// The macro by which a kernel knows what its activations are kept in (cl/common/storage.h); none for f32.
KernelSpec with_storage(KernelSpec&& spec, DType storage, std::string_view macro = "STORAGE_BITS");
/// Why an implementation that was made for float32 alone can't have its activations in `storage`, if so.
std::optional<std::string> refuse_half(DType storage);
/// A shape as choices name it: those of f16 are told apart from those of f32.
std::string shape_name(std::string sizes, DType storage);

/// A two-dimensional index space over `rows` runs of consecutive elements, for kernels written with cl/common/flat.h.
struct ElementSplit {
  int64_t width;   ///< -DWIDTH: floats a work-item takes at once
  uint64_t chunk;  ///< elements of a run that one work-item takes; a multiple of `width`
  std::vector<size_t> global, local;
  DType storage;
  KernelSpec spec() const { return with_storage(KernelSpec().define("WIDTH", width), storage); }
};

/// The choice between a kernel in long loops over float16 vectors, preferred on CPU devices, and the plain one in small
/// work-items or work-groups, preferred on others; the first refuses a compiler that wants small kernels, and f16.
std::vector<Candidate> vector_or_plain(const DeviceCaps& caps, std::string_view vectors, std::string_view plain,
                                       DType storage = DType::f32);

/// Chooses between `chunks` (long chunks in float16 steps) and `items` (one element a work-item). `reads`: how many
/// elements are read for each one written.
ElementSplit split_elements(std::string_view op, Device& device, size_t elements, size_t rows = 1, size_t reads = 1,
                            DType storage = DType::f32);

/// Chooses between `rows` (a work-item takes whole rows) and `work_group` (a work-group shares each row): whether it is
/// the former.
bool takes_whole_rows(std::string_view op, Device& device, size_t rows, size_t size, DType storage = DType::f32);

/// How many work-items share a row of `size` elements in a work-group.
size_t row_group(const DeviceCaps& caps, size_t size);

}  // namespace vitcl::ops
