#include "degrade/row_sums.h"

#include <algorithm>
#include <utility>

#include "core/vectors.h"

namespace sr {
namespace {

using namespace simd;

constexpr int kLeastBytes = 16;

// --- sum_rows ------------------------------------------------------------------------------------

/// kVectors neighbouring vectors of sums, from x on.
template <int kBytes, int kVectors>
[[gnu::always_inline]] inline void sum_block(const RowSum& sum, std::ptrdiff_t x) {
  constexpr std::ptrdiff_t kLanes = VectorOf<kBytes>::kLanes;
  Vector<kBytes> sums[kVectors] = {};
  for (std::size_t k = 0; k < sum.sources.size(); ++k) {
    for (int v = 0; v < kVectors; ++v) {
      Vector<kBytes> samples;
      load<kBytes>(samples, sum.sources[k] + x + v * kLanes);
      sums[v] += sum.weights[k] * samples;
    }
  }
  for (int v = 0; v < kVectors; ++v) store<kBytes>(sums[v], sum.out + x + v * kLanes);
}

[[gnu::always_inline]] inline float sum_at(const RowSum& sum, std::ptrdiff_t x) {
  float total = 0;
  for (std::size_t k = 0; k < sum.sources.size(); ++k) total += sum.weights[k] * sum.sources[k][x];
  return total;
}

/// The last vector may overlap the one before; rows narrower than a vector are left to smaller ones.
template <int kBytes>
[[gnu::always_inline]] inline void sum_rows_by(const RowSum& sum) {
  constexpr std::ptrdiff_t kLanes = VectorOf<kBytes>::kLanes, kVectors = 4;
  if (sum.width < kLanes) {
    if constexpr (kBytes > kLeastBytes) return sum_rows_by<kBytes / 2>(sum);
    for (std::ptrdiff_t x = 0; x < sum.width; ++x) sum.out[x] = sum_at(sum, x);
    return;
  }
  std::ptrdiff_t x = 0;
  for (; x + kVectors * kLanes <= sum.width; x += kVectors * kLanes) sum_block<kBytes, kVectors>(sum, x);
  for (; x < sum.width; x += kLanes) sum_block<kBytes, 1>(sum, std::min(x, sum.width - kLanes));
}

// --- correlate_band ------------------------------------------------------------------------------

constexpr int kBandVectors = 2;

template <int kBytes>
using BandSums = Vector<kBytes>[kBandRows][kBandVectors];

/// Adds one row of input to the output rows kFirst..kLast - 1. `weights` is the row of the kernel that output
/// row 0 meets there; row 1 meets the one before it, and so on.
template <int kBytes, int kFirst, int kLast>
[[gnu::always_inline]] inline void add_row(BandSums<kBytes>& sums, const float* in, const float* weights,
                                           std::ptrdiff_t columns) {
  for (std::ptrdiff_t j = 0; j < columns; ++j) {
    Vector<kBytes> samples[kBandVectors];
    for (int v = 0; v < kBandVectors; ++v) load<kBytes>(samples[v], in + j + v * VectorOf<kBytes>::kLanes);
    for (int y = kFirst; y < kLast; ++y) {
      const float weight = weights[j - y * columns];
      for (int v = 0; v < kBandVectors; ++v) sums[y][v] += weight * samples[v];
    }
  }
}

/// The first and the last rows of input (kRow...) meet some of the output rows only.
template <int kBytes, int... kRow>
[[gnu::always_inline]] inline void add_rows(BandSums<kBytes>& sums, const BandCorrelation& band,
                                            std::ptrdiff_t x, std::integer_sequence<int, kRow...>) {
  const std::ptrdiff_t rows = band.rows, columns = band.columns;
  const float *const *in = band.in, *weights = band.weights;
  (add_row<kBytes, 0, kRow + 1>(sums, in[kRow] + x, weights + kRow * columns, columns), ...);
  for (std::ptrdiff_t i = kBandRows - 1; i < rows; ++i) {
    add_row<kBytes, 0, kBandRows>(sums, in[i] + x, weights + i * columns, columns);
  }
  in += rows;
  weights += rows * columns;
  (add_row<kBytes, kRow + 1, kBandRows>(sums, in[kRow] + x, weights + kRow * columns, columns), ...);
}

template <int kBytes>
[[gnu::always_inline]] inline void correlate_columns(const BandCorrelation& band, std::ptrdiff_t x) {
  BandSums<kBytes> sums = {};
  add_rows<kBytes>(sums, band, x, std::make_integer_sequence<int, kBandRows - 1>{});
  for (int y = 0; y < kBandRows; ++y) {
    float* to = band.out + y * band.out_stride + x;
    for (int v = 0; v < kBandVectors; ++v) store<kBytes>(sums[y][v], to + v * VectorOf<kBytes>::kLanes);
  }
}

inline void correlate_column(const BandCorrelation& band, std::ptrdiff_t x) {
  for (int y = 0; y < kBandRows; ++y) {
    float sum = 0;
    for (std::ptrdiff_t i = 0; i < band.rows; ++i) {
      for (std::ptrdiff_t j = 0; j < band.columns; ++j)
        sum += band.weights[i * band.columns + j] * band.in[y + i][x + j];
    }
    band.out[y * band.out_stride + x] = sum;
  }
}

/// Overlaps as sum_rows_by does.
template <int kBytes>
[[gnu::always_inline]] inline void correlate_by(const BandCorrelation& band) {
  constexpr std::ptrdiff_t kColumns = kBandVectors * VectorOf<kBytes>::kLanes;
  if (band.width < kColumns) {
    if constexpr (kBytes > kLeastBytes) return correlate_by<kBytes / 2>(band);
    for (std::ptrdiff_t x = 0; x < band.width; ++x) correlate_column(band, x);
    return;
  }
  for (std::ptrdiff_t x = 0; x < band.width; x += kColumns) {
    correlate_columns<kBytes>(band, std::min(x, band.width - kColumns));
  }
}

// --- one for each kind of processor --------------------------------------------------------------

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
[[gnu::target("default")]] void run(const RowSum& sum) { sum_rows_by<kLeastBytes>(sum); }
[[gnu::target("arch=x86-64-v3")]] void run(const RowSum& sum) { sum_rows_by<32>(sum); }
[[gnu::target("arch=x86-64-v4")]] void run(const RowSum& sum) { sum_rows_by<64>(sum); }
[[gnu::target("default")]] void run(const BandCorrelation& band) { correlate_by<kLeastBytes>(band); }
[[gnu::target("arch=x86-64-v3")]] void run(const BandCorrelation& band) { correlate_by<32>(band); }
[[gnu::target("arch=x86-64-v4")]] void run(const BandCorrelation& band) { correlate_by<64>(band); }
#else
void run(const RowSum& sum) { sum_rows_by<kLeastBytes>(sum); }
void run(const BandCorrelation& band) { correlate_by<kLeastBytes>(band); }
#endif

}  // namespace

void sum_rows(const RowSum& sum) { run(sum); }

void correlate_band(const BandCorrelation& band) { run(band); }

}  // namespace sr
