#pragma once
// Filters that go down a plane band by band, for what else there is to do with rows while they are in the
// cache. On the CPU only.

#include <cstdint>
#include <vector>

#include "degrade/filter.h"
#include "degrade/row_sums.h"

namespace sr {

/// Whether the filters below may take these pictures; gradients, other devices and other types are ATen's.
bool loops_apply(const Tensor& images, at::TensorList kernels = {});

/// Weights along one axis, the first of them for the pixel `first` from the one in question.
struct Taps {
  std::int64_t first = 0;
  std::vector<float> weights;
  std::int64_t count() const { return static_cast<std::int64_t>(weights.size()); }
  std::int64_t last() const { return first + count() - 1; }
};

/// The taps of a kernel [k] around its centre; k must be odd.
Taps centred_taps(const Tensor& kernel);

/// The planes to be filtered. They are larger than what any tap reaches over their edges.
struct PlaneShape {
  std::int64_t height, width;
  Border border;
  std::int64_t bands() const { return (height + kBandRows - 1) / kBandRows; }
};

/// `column` down the columns, then `row` along the rows.
class SeparableFilter {
 public:
  SeparableFilter(const PlaneShape& shape, const Taps& column, const Taps& row);
  /// Rows y..y + kBandRows - 1 of a filtered plane, those that there are, to `out`.
  void band(const float* plane, std::int64_t y, float* out);

 private:
  PlaneShape shape_;
  Taps column_, row_;
  std::int64_t last_row_;                       // of the input, from an output row
  std::int64_t margin_, stride_;                // of `rows_`: floats on either side of a row, and in all
  std::vector<float> rows_;                     // a band filtered down the columns
  std::vector<const float*> inputs_, shifted_;  // of the one pass, of the other
};

/// The weights of a kernel, row-major; `top` and `left` are the place of the first from the centre.
struct KernelTaps {
  std::int64_t top, left, rows, columns;
  std::vector<float> weights;
};

/// Any kernel. Bands that follow each other share what was made ready of the plane, which must not change.
class DirectFilter {
 public:
  DirectFilter(const PlaneShape& shape, const KernelTaps& kernel);
  /// As SeparableFilter's.
  void band(const float* plane, std::int64_t y, float* out);

 private:
  void make_ready(const float* plane, std::int64_t first, std::int64_t end);
  float* ready_row(std::int64_t row);

  PlaneShape shape_;
  KernelTaps kernel_;
  std::int64_t last_row_;         // of the input, from an output row
  std::int64_t margin_, stride_;  // of `rows_`: floats on either side of a row, and in all
  std::vector<float> rows_;       // a ring of input rows with borders
  const float* plane_ = nullptr;  // that they are of
  std::int64_t ready_ = 0;        // the row after the last of them
  std::vector<const float*> inputs_;
  std::vector<float> lowest_band_;  // it may have rows that the plane has not
};

}  // namespace sr
