#pragma once
// What the formats call the element types of tensors.

#include <optional>
#include <string_view>

#include "core/torch.h"

namespace sr {

/// One element type in every vocabulary; empty where a vocabulary has no word for it.
struct DtypeNames {
  at::ScalarType type;
  std::string_view safetensors;  ///< "F32"
  std::string_view storage;      ///< PyTorch's storage class: "FloatStorage"
  std::string_view torch;        ///< PyTorch's dtype: "float32"
  std::string_view numpy;        ///< kind and bytes: "f4"
};

/// The type called `name` in a vocabulary: `dtype_named(&DtypeNames::safetensors, "F32")`.
std::optional<at::ScalarType> dtype_named(std::string_view DtypeNames::*vocabulary, std::string_view name);

/// The word for `type` in a vocabulary, or nothing where there is none.
std::optional<std::string_view> dtype_name(std::string_view DtypeNames::*vocabulary, at::ScalarType type);

}  // namespace sr
