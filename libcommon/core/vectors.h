#pragma once
// Loops on vectors of the compiler's own kind, for what needs its values in registers. All are templates on
// the vectors' size in bytes, to be inlined into one plain function for each kind of processor.

#include <cstdint>

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

#pragma GCC pop_options

}  // namespace sr::simd
