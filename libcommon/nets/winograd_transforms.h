#pragma once
// The arithmetic of Winograd's transforms, to be inlined into one plain function for each kind of processor
// (winograd_passes.cpp).

#include <array>
#include <cstdint>

#include "core/vectors.h"

namespace sr::winograd {

using namespace simd;

inline constexpr std::int64_t kStep = 4;  ///< side of a tile of outputs

/// Where polynomials are evaluated besides 0 and infinity: at these points, and at their negatives. A tile of
/// inputs has as many values a side as there are points in all; so have the transforms.
template <int kSide>
constexpr std::array<double, kSide / 2 - 1> kPoints{};
template <>
constexpr std::array<double, 2> kPoints<6>{0.70710678118654752, 1.4142135623730951};  // for 3x3 kernels
template <>
constexpr std::array<double, 3> kPoints<8>{0.5, 1, 2};  // for 5x5

#pragma GCC push_options
#pragma GCC optimize("fp-contract=fast")

// --- points --------------------------------------------------------------------------------------

/// The numbers of a transform, for the compiler to write into the code.
template <int kSide>
struct Table {
  static constexpr int kPairs = kSide / 2 - 1;
  using EvenPolynomial = std::array<float, kPairs + 1>;  // coefficients of 1, x^2, x^4...

  /// The product of (x^2 - q^2) over all points q, and over all but one.
  EvenPolynomial all = without(-1);
  std::array<EvenPolynomial, kPairs> others{};
  std::array<std::array<float, kStep>, kPairs> powers{};

  constexpr Table() {
    for (int i = 0; i < kPairs; ++i) {
      others[i] = without(i);
      double power = 1;
      for (int k = 0; k < kStep; ++k, power *= kPoints<kSide>[i]) powers[i][k] = static_cast<float>(power);
    }
  }

  static constexpr EvenPolynomial without(int left_out) {
    std::array<double, kPairs + 1> product{1};
    for (int i = 0; i < kPairs; ++i) {
      if (i == left_out) continue;
      const double square = kPoints<kSide>[i] * kPoints<kSide>[i];
      for (int k = kPairs; k > 0; --k) product[k] = product[k - 1] - square * product[k];
      product[0] *= -square;
    }
    EvenPolynomial rounded{};
    for (int k = 0; k <= kPairs; ++k) rounded[k] = static_cast<float>(product[k]);
    return rounded;
  }
};

/// One side of a tile to what the points make of it: d -> B^T d, `stride` vectors apart. A point's row holds
/// the coefficients of the polynomial that is zero at all other points.
template <int kBytes, int kSide>
[[gnu::always_inline]] inline void to_points(Vector<kBytes>* values, int stride) {
  constexpr Table<kSide> table;
  constexpr int kPairs = table.kPairs;
  Vector<kBytes> d[kSide];
#pragma GCC unroll 8
  for (int i = 0; i < kSide; ++i) d[i] = values[i * stride];
  Vector<kBytes> zero = d[kSide - 2], infinity = d[kSide - 1];
#pragma GCC unroll 8
  for (int k = 0; k < kPairs; ++k) {
    zero += table.all[k] * d[2 * k];
    infinity += table.all[k] * d[2 * k + 1];
  }
  values[0] = zero;
  values[(kSide - 1) * stride] = infinity;
#pragma GCC unroll 8
  for (int i = 0; i < kPairs; ++i) {
    Vector<kBytes> even = d[kSide - 2], odd = d[kSide - 3];
#pragma GCC unroll 8
    for (int k = 0; k < kPairs - 1; ++k) {
      even += table.others[i][k] * d[2 * k + 2];
      odd += table.others[i][k] * d[2 * k + 1];
    }
    odd *= table.powers[i][1];
    values[(2 * i + 1) * stride] = even + odd;
    values[(2 * i + 2) * stride] = even - odd;
  }
}

/// One side's points to kStep outputs: m -> A^T m, `stride` vectors apart. Column i holds a point's powers.
template <int kBytes, int kSide>
[[gnu::always_inline]] inline void from_points(Vector<kBytes>* values, int stride) {
  constexpr Table<kSide> table;
  constexpr int kPairs = table.kPairs;
  Vector<kBytes> outputs[kStep] = {};
  outputs[0] = values[0];
  outputs[kStep - 1] = values[(kSide - 1) * stride];
#pragma GCC unroll 8
  for (int i = 0; i < kPairs; ++i) {
    const auto plus = values[(2 * i + 1) * stride], minus = values[(2 * i + 2) * stride];
    const auto sum = plus + minus, difference = plus - minus;
#pragma GCC unroll 8
    for (int k = 0; k < kStep; ++k) outputs[k] += table.powers[i][k] * (k % 2 == 0 ? sum : difference);
  }
#pragma GCC unroll 8
  for (int k = 0; k < kStep; ++k) values[k * stride] = outputs[k];
}

/// The transpose of that, for gradients: kStep of a side to its points, d -> A d.
template <int kBytes, int kSide>
[[gnu::always_inline]] inline void spread_to_points(Vector<kBytes>* values, int stride) {
  constexpr Table<kSide> table;
  constexpr int kPairs = table.kPairs;
  Vector<kBytes> d[kStep];
#pragma GCC unroll 8
  for (int k = 0; k < kStep; ++k) d[k] = values[k * stride];
  values[0] = d[0];
  values[(kSide - 1) * stride] = d[kStep - 1];
#pragma GCC unroll 8
  for (int i = 0; i < kPairs; ++i) {
    const auto even = d[0] + table.powers[i][2] * d[2];
    const auto odd = table.powers[i][1] * d[1] + table.powers[i][3] * d[3];
    values[(2 * i + 1) * stride] = even + odd;
    values[(2 * i + 2) * stride] = even - odd;
  }
}

#pragma GCC pop_options

}  // namespace sr::winograd
