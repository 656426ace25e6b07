#pragma once
// Resizing as MATLAB's imresize does it, the field's way to make low-resolution images.
// Source: XPixelGroup/BasicSR basicsr/utils/matlab_functions.py (cubic) and MATLAB's imresize.m (the others).
//
// Borders are mirrored with the edge repeated. Shrinking with antialiasing widens the kernel by 1 / scale.
// Positions and weights are reckoned in the image's own type: float32 gives BasicSR's numbers, float64
// MATLAB's.

#include <cstdint>
#include <vector>

#include "core/torch.h"

namespace sr {

enum class ResizeKernel { box, triangle, cubic, lanczos2, lanczos3 };

struct ResizeOptions {
  ResizeKernel kernel = ResizeKernel::cubic;  ///< cubic: a = -0.5 (torch and OpenCV use -0.75)
  bool antialias = true;
};

/// How one axis is resized: output i is the sum over k of weights[i][k] * input[first[i] + k], mirrored.
struct ResizeAxis {
  std::int64_t length = 0;          ///< of the input
  std::vector<std::int64_t> first;  ///< one an output; may be negative
  Tensor weights;                   ///< [outputs, taps], float32 or float64; each row sums to 1

  std::int64_t outputs() const { return static_cast<std::int64_t>(first.size()); }
  std::int64_t taps() const { return weights.size(1); }
  /// The input sample that tap `k` of output `i` reads, mirrored into [0, length).
  std::int64_t source(std::int64_t i, std::int64_t k) const;
};

/// `scale` places the outputs (MATLAB does not use outputs / length for it); `type` is kFloat or kDouble.
ResizeAxis resize_axis(std::int64_t length, std::int64_t outputs, double scale, const ResizeOptions& options,
                       at::ScalarType type);

/// MATLAB's output size: ceil(length * scale) in floating point, so 50 * 1.1 gives 56.
std::int64_t resized_length(std::int64_t length, double scale);

struct RowRange {
  std::int64_t begin = 0, end = 0;
};

/// Resizes an image strip by strip, so that neither the input nor the output need be in memory whole.
/// Any division into strips gives the same values.
class Resizer {
 public:
  Resizer(ResizeAxis vertical, ResizeAxis horizontal);
  /// Both axes by `scale`, or to a given size, for images of height x width.
  static Resizer by_scale(std::int64_t height, std::int64_t width, double scale,
                          const ResizeOptions& options = {}, at::ScalarType type = at::kFloat);
  static Resizer to_size(std::int64_t height, std::int64_t width, std::int64_t new_height,
                         std::int64_t new_width, const ResizeOptions& options = {},
                         at::ScalarType type = at::kFloat);

  std::int64_t height() const { return vertical_.outputs(); }
  std::int64_t width() const { return horizontal_.outputs(); }
  /// The input rows that output rows [y0, y1) are made of. Throws Error unless 0 <= y0 < y1 <= height().
  RowRange input_rows(std::int64_t y0, std::int64_t y1) const;
  /// Output rows [y0, y1) as [..., y1 - y0, width()] from `input` [..., rows, input width], whose first row
  /// is row `first_input_row` of the image and which holds at least input_rows(y0, y1). On the CPU.
  Tensor rows(std::int64_t y0, std::int64_t y1, const Tensor& input, std::int64_t first_input_row) const;

 private:
  ResizeAxis vertical_, horizontal_;
};

/// Resizes `image` [..., H, W] (float32 or float64, on the CPU, any range; nothing is clipped) by `scale` to
/// resized_length(H, scale) x resized_length(W, scale). Throws Error where a size or the type is unusable.
Tensor imresize(const Tensor& image, double scale, const ResizeOptions& options = {});

/// As imresize, to a given size; each axis has the scale output / input.
Tensor imresize_to(const Tensor& image, std::int64_t height, std::int64_t width,
                   const ResizeOptions& options = {});

}  // namespace sr
