#pragma once
// Loops on vectors of the compiler's own kind, for what needs its values in registers. All are templates on
// the vectors' size in bytes, to be inlined into one plain function for each kind of processor.

#include <cstdint>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sr::simd {

#pragma GCC push_options
#pragma GCC optimize("fp-contract=fast")

/// As bfloat16 lies in memory: the upper half of a float.
struct Half {
  std::uint16_t bits;
};

template <int kBytes>
struct VectorOf {
  using Aligned [[gnu::vector_size(kBytes)]] = float;
  using InMemory [[gnu::vector_size(kBytes), gnu::aligned(alignof(float)), gnu::may_alias]] = float;
  using Bits [[gnu::vector_size(kBytes)]] = std::uint32_t;
  using HalfInMemory [[gnu::vector_size(kBytes / 2), gnu::aligned(alignof(Half)), gnu::may_alias]] =
      std::uint16_t;
  static constexpr int kLanes = kBytes / sizeof(float);
};

template <int kBytes>
using Vector = typename VectorOf<kBytes>::Aligned;

template <int kBytes>
[[gnu::always_inline]] inline void load(Vector<kBytes>& vector, const float* from) {
  vector = *reinterpret_cast<const typename VectorOf<kBytes>::InMemory*>(from);
}

template <int kBytes>
[[gnu::always_inline]] inline void load(Vector<kBytes>& vector, const Half* from) {
  using Bits = typename VectorOf<kBytes>::Bits;
  const auto& half = *reinterpret_cast<const typename VectorOf<kBytes>::HalfInMemory*>(from);
  vector = reinterpret_cast<Vector<kBytes>>(__builtin_convertvector(half, Bits) << 16);
}

template <int kBytes>
[[gnu::always_inline]] inline void store(const Vector<kBytes>& vector, float* to) {
  *reinterpret_cast<typename VectorOf<kBytes>::InMemory*>(to) = vector;
}

/// As bfloat16 in the upper half of each float: the nearest, half-way to even; no number stays none.
template <int kBytes>
[[gnu::always_inline]] inline void round_to_half(const Vector<kBytes>& vector,
                                                 typename VectorOf<kBytes>::Bits& rounded) {
  using Bits = typename VectorOf<kBytes>::Bits;
  const Bits bits = reinterpret_cast<Bits>(vector);
  rounded = vector == vector ? bits + 0x7fff + ((bits >> 16) & 1) : bits | 0x7fc00000;
}

template <int kBytes>
[[gnu::always_inline]] inline void store(const Vector<kBytes>& vector, Half* to) {
  using HalfInMemory = typename VectorOf<kBytes>::HalfInMemory;
  typename VectorOf<kBytes>::Bits rounded;
  round_to_half<kBytes>(vector, rounded);
  *reinterpret_cast<HalfInMemory*>(to) = __builtin_convertvector(rounded >> 16, HalfInMemory);
}

/// The halves of both, one of each in turn.
template <int kBytes>
[[gnu::always_inline]] inline void store_pairs(const Vector<kBytes>& even, const Vector<kBytes>& odd,
                                               float* to) {
  typename VectorOf<kBytes>::Bits low, high;
  round_to_half<kBytes>(even, low);
  round_to_half<kBytes>(odd, high);
  store<kBytes>(reinterpret_cast<Vector<kBytes>>((low >> 16) | (high & 0xffff0000)), to);
}

/// kRows rows by kVectors vectors of columns: the sums over k of left[k, row] * right[k, column], left's rows
/// `left_row` floats apart and its k `left_k`; added to what is there, or stored.
template <int kBytes, int kRows, int kVectors, bool kAdd>
[[gnu::always_inline]] inline void multiply_block(const float* left, std::int64_t left_row,
                                                  std::int64_t left_k, const float* right,
                                                  std::int64_t right_k, std::int64_t count, float* sums_out,
                                                  std::int64_t out_row) {
  constexpr int kLanes = VectorOf<kBytes>::kLanes;
  Vector<kBytes> sums[kRows][kVectors] = {};
  for (std::int64_t k = 0; k < count; ++k) {
    Vector<kBytes> factors[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) load<kBytes>(factors[v], right + k * right_k + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[r][v] += left[r * left_row + k * left_k] * factors[v];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      float* const to = sums_out + r * out_row + v * kLanes;
      if (kAdd) {
        Vector<kBytes> before;
        load<kBytes>(before, to);
        sums[r][v] += before;
      }
      store<kBytes>(sums[r][v], to);
    }
  }
}

// --- pairs of bfloat16, where the processor multiplies them: has_bfloat16() --------------------------

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SR_BFLOAT16 gnu::target("arch=x86-64-v4,avx512bf16")

/// As multiply_block(), of pairs of bfloat16: each k is two.
template <int kRows, bool kAdd>
[[SR_BFLOAT16, gnu::always_inline]] inline void multiply_pairs(const float* left, std::int64_t left_row,
                                                               std::int64_t left_k, const float* right,
                                                               std::int64_t right_k, std::int64_t count,
                                                               float* sums_out, std::int64_t out_row) {
  __m512 sums[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) sums[r][0] = sums[r][1] = _mm512_setzero_ps();
  for (std::int64_t k = 0; k < count; ++k) {
    const auto first = (__m512bh)_mm512_loadu_ps(right + k * right_k);
    const auto second = (__m512bh)_mm512_loadu_ps(right + k * right_k + 16);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const auto factor = (__m512bh)_mm512_set1_ps(left[r * left_row + k * left_k]);
      sums[r][0] = _mm512_dpbf16_ps(sums[r][0], factor, first);
      sums[r][1] = _mm512_dpbf16_ps(sums[r][1], factor, second);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    float* const to = sums_out + r * out_row;
    _mm512_storeu_ps(to, kAdd ? sums[r][0] + _mm512_loadu_ps(to) : sums[r][0]);
    _mm512_storeu_ps(to + 16, kAdd ? sums[r][1] + _mm512_loadu_ps(to + 16) : sums[r][1]);
  }
}
#endif

#pragma GCC pop_options

}  // namespace sr::simd
