#pragma once
// Tensors that look into bytes of a file, checked so that they can never look beyond them.

#include <cstdint>
#include <optional>
#include <vector>

#include "core/torch.h"
#include "weights/mapped_file.h"

namespace sr {

/// How a tensor lies in its storage; offset and strides count elements, as PyTorch's do.
struct TensorLayout {
  at::ScalarType dtype = at::kFloat;
  std::vector<std::int64_t> sizes;
  std::vector<std::int64_t> strides;  ///< as many as sizes
  std::int64_t offset = 0;
};

/// Row-major strides of these sizes, or column-major ones; throws Error where a size is negative or the
/// product overflows.
std::vector<std::int64_t> contiguous_strides(const std::vector<std::int64_t>& sizes,
                                             bool column_major = false);

/// The same bytes at an address that elements of this width can be read from: copied if they have to be.
SharedBytes aligned(const SharedBytes& storage, std::size_t element_size);

/// A tensor that views `storage` and shares its owner. Unaligned elements are copied; truth values become 0
/// or 1 in place. Throws Error where the layout is impossible or reaches beyond the storage; the message
/// lacks its subject ("reaches to ..."), which the caller knows.
Tensor view_tensor(const SharedBytes& storage, const TensorLayout& layout);

}  // namespace sr
