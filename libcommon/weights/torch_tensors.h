#pragma once
// Tensors in pickles: which recorded calls stand for one, and what it is.

#include <functional>
#include <optional>
#include <string_view>

#include "core/torch.h"
#include "weights/mapped_file.h"
#include "weights/pickle.h"

namespace sr {

/// PyTorch's name for a storage that lies outside of the pickle.
struct StorageId {
  at::ScalarType dtype = at::kFloat;
  std::string_view key;
  std::int64_t elements = 0;
  /// A window into a larger storage, as files before PyTorch 0.4 have it; in elements.
  std::optional<std::pair<std::int64_t, std::int64_t>> window;  ///< offset and size
};

/// True where the reference is to a storage (the legacy format refers to modules' sources as well).
bool is_storage(const pickle::Persistent& reference);

/// Throws Error where the reference is none to a storage, or to one of an unknown type.
StorageId storage_id(const pickle::Persistent& reference);

/// Finds the bytes of a storage; throws Error where they are not there.
using StorageSource = std::function<SharedBytes(const StorageId&)>;

/// True where the value says that it is a tensor (or a parameter, or a NumPy array of numbers).
bool is_tensor(const pickle::Value& value);

/// The tensor that a value says it is: a view of its storage, on the CPU whatever device it was saved from.
/// Throws Error where it is malformed or reaches beyond its storage; the message lacks its subject.
Tensor read_tensor(const pickle::Value& value, const StorageSource& storages);

}  // namespace sr
