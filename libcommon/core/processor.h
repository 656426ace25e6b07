#pragma once
// What the processor can do, where code chooses by it, and how many there are.

namespace sr {

/// Processors that this process may run on (its affinity mask, not the machine's count).
int available_processors();
/// What a number of threads means: 0 is one for each processor.
int threads_or_all(int threads);

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
/// Whether it multiplies bfloat16 (AVX512-BF16, which all with AMX have too).
inline bool has_bfloat16() { return __builtin_cpu_supports("avx512bf16") != 0; }
/// Whether it multiplies tiles of bfloat16 (Intel AMX), so that LibTorch's convolutions do.
inline bool has_matrix_tiles() { return __builtin_cpu_supports("amx-bf16") != 0; }
#else
inline bool has_bfloat16() { return false; }
inline bool has_matrix_tiles() { return false; }
#endif

}  // namespace sr
