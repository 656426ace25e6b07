#pragma once
// What the processor can do, where code chooses by it.

namespace sr {

/// Whether it multiplies tiles of bfloat16 (Intel AMX), so that LibTorch's convolutions do.
inline bool has_matrix_tiles() {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
  return __builtin_cpu_supports("amx-bf16");
#else
  return false;
#endif
}

}  // namespace sr
