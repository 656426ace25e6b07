#pragma once
// The inner loops of filters, made for the widest vectors that the processor has.

#include <cstddef>
#include <span>

namespace sr {

/// out[x] = the sum over k of weights[k] * sources[k][x], for x < width, made in the order of k. `out` lies
/// apart from the sources.
struct RowSum {
  std::span<const float* const> sources;
  const float* weights;
  float* out;
  std::ptrdiff_t width;
};
void sum_rows(const RowSum& sum);

/// So many rows are correlated at once, so that a sample once loaded serves all of them.
constexpr int kBandRows = 6;

/// out(y, x) = the sum over i, j of weights(i, j) * in[y + i][x + j], for y < kBandRows and x < width.
/// `rows` is at least kBandRows - 1 (zeros make up a smaller kernel).
struct BandCorrelation {
  const float* const* in;  ///< kBandRows + rows - 1 rows
  const float* weights;    ///< row-major
  std::ptrdiff_t rows, columns;
  float* out;
  std::ptrdiff_t out_stride, width;
};
void correlate_band(const BandCorrelation& band);

}  // namespace sr
