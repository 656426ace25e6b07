#pragma once
// NumPy arrays in pickles.

#include "core/torch.h"
#include "weights/pickle.h"

namespace sr {

/// True where the value is the record of an array of numbers, little-endian and of a type that tensors have.
bool is_numpy_array(const pickle::Value& value);

/// Bytes that such an array takes; 0 for anything else.
std::size_t numpy_array_bytes(const pickle::Value& value);

/// A copy of such an array. Throws Error where its size and its bytes disagree; the message lacks its
/// subject.
Tensor read_numpy_array(const pickle::Value& value);

}  // namespace sr
