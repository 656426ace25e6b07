#include "image/resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numbers>
#include <span>
#include <utility>

#include "core/error.h"

namespace sr {
namespace {

double support(ResizeKernel kernel) {
  switch (kernel) {
    case ResizeKernel::box: return 1;
    case ResizeKernel::triangle: return 2;
    case ResizeKernel::cubic:
    case ResizeKernel::lanczos2: return 4;
    case ResizeKernel::lanczos3: return 6;
  }
  throw Error("unknown resize kernel");
}

template <typename T>
T cubic(T x) {
  const T a = std::abs(x), a2 = a * a, a3 = a2 * a;
  if (a <= 1) return T(1.5) * a3 - T(2.5) * a2 + T(1);
  if (a <= 2) return T(-0.5) * a3 + T(2.5) * a2 - T(4) * a + T(2);
  return 0;
}

template <typename T>
T lanczos(T x, int lobes) {
  if (std::abs(x) >= T(lobes)) return 0;
  // MATLAB's way round the hole at 0: eps in numerator and denominator.
  const T pi = std::numbers::pi_v<T>, eps = T(std::numeric_limits<double>::epsilon());
  return (std::sin(pi * x) * std::sin(pi * x / T(lobes)) + eps) / (pi * pi * x * x / T(lobes) + eps);
}

template <typename T>
T kernel_value(ResizeKernel kernel, T x) {
  switch (kernel) {
    case ResizeKernel::box: return T(-0.5) <= x && x < T(0.5) ? T(1) : T(0);
    case ResizeKernel::triangle: return std::max(T(0), T(1) - std::abs(x));
    case ResizeKernel::cubic: return cubic(x);
    case ResizeKernel::lanczos2: return lanczos(x, 2);
    case ResizeKernel::lanczos3: return lanczos(x, 3);
  }
  return 0;
}

/// Fills `axis`. The order of the operations is the reference's, so that float32 rounds as there.
template <typename T>
void fill_axis(ResizeAxis& axis, double scale, double width, const ResizeOptions& options) {
  const bool widen = scale < 1 && options.antialias;
  const T stretch = widen ? T(scale) : T(1);
  const std::int64_t taps = axis.taps();
  T* weights = axis.weights.data_ptr<T>();
  for (std::int64_t i = 0; i < axis.outputs(); ++i, weights += taps) {
    const T centre = T(i + 1) / T(scale) + T(0.5 * (1 - 1 / scale));  // counted from 1, as in MATLAB
    // The leftmost of the reference's taps and the last lie outside the kernel: they are left out here.
    const T first = std::floor(centre - T(width / 2)) + T(1);
    axis.first[i] = static_cast<std::int64_t>(first) - 1;
    T sum = 0;
    for (std::int64_t k = 0; k < taps; ++k) {
      weights[k] = stretch * kernel_value(options.kernel, (centre - (first + T(k))) * stretch);
      sum += weights[k];
    }
    for (std::int64_t k = 0; k < taps; ++k) weights[k] /= sum;
  }
}

/// Sums are made for this many neighbours at once, so that they lie in vector registers.
constexpr std::int64_t kLanes = 16;

template <typename T>
using Lanes = std::array<T, kLanes>;

/// sums[j] += weight * source[j] for j < n.
template <typename T>
inline void add_weighted(Lanes<T>& sums, T weight, const T* source, std::int64_t n) {
  if (n == kLanes) {
    for (std::int64_t j = 0; j < kLanes; ++j) sums[j] += weight * source[j];
  } else {
    for (std::int64_t j = 0; j < n; ++j) sums[j] += weight * source[j];
  }
}

/// One plane of the strip: blocks of kLanes output rows are summed down the columns, turned, summed along the
/// rows (which then lie side by side) and turned back.
template <typename T>
class PlaneResizer {
 public:
  PlaneResizer(const ResizeAxis& vertical, const ResizeAxis& horizontal, std::int64_t first_input_row)
      : vertical_(vertical),
        horizontal_(horizontal),
        first_input_row_(first_input_row),
        columns_(static_cast<std::size_t>(horizontal.length * kLanes)),
        rows_(static_cast<std::size_t>(vertical.taps())) {}

  /// Output rows [y, y + n) to `output`; `input` starts at row `first_input_row` of the image.
  void block(const T* input, std::int64_t y, std::int64_t n, T* output) {
    for (std::int64_t lane = 0; lane < n; ++lane) sum_columns(input, y + lane, lane);
    const std::int64_t width = horizontal_.outputs();
    for (std::int64_t x = 0; x < width; x += kLanes) sum_rows(x, std::min(kLanes, width - x), n, output);
  }

 private:
  void sum_columns(const T* input, std::int64_t y, std::int64_t lane) {
    const std::int64_t taps = vertical_.taps(), width = horizontal_.length;
    const T* weights = vertical_.weights.template data_ptr<T>() + y * taps;
    for (std::int64_t k = 0; k < taps; ++k) {
      rows_[k] = input + (vertical_.source(y, k) - first_input_row_) * width;
    }
    for (std::int64_t x = 0; x < width; x += kLanes) {
      const std::int64_t n = std::min(kLanes, width - x);
      Lanes<T> sums{};
      for (std::int64_t k = 0; k < taps; ++k) add_weighted(sums, weights[k], rows_[k] + x, n);
      for (std::int64_t j = 0; j < n; ++j) columns_[(x + j) * kLanes + lane] = sums[j];
    }
  }

  void sum_rows(std::int64_t x, std::int64_t columns, std::int64_t rows, T* output) {
    const std::int64_t taps = horizontal_.taps();
    std::array<Lanes<T>, kLanes> tile{};
    for (std::int64_t j = 0; j < columns; ++j) {
      const T* weights = horizontal_.weights.template data_ptr<T>() + (x + j) * taps;
      Lanes<T> sums{};  // a local, not the tile's own, so that it stays in registers
      for (std::int64_t k = 0; k < taps; ++k) {
        add_weighted(sums, weights[k], &columns_[horizontal_.source(x + j, k) * kLanes], kLanes);
      }
      tile[j] = sums;
    }
    for (std::int64_t lane = 0; lane < rows; ++lane) {
      T* row = output + lane * horizontal_.outputs() + x;
      for (std::int64_t j = 0; j < columns; ++j) row[j] = tile[j][lane];
    }
  }

  const ResizeAxis& vertical_;
  const ResizeAxis& horizontal_;
  std::int64_t first_input_row_;
  std::vector<T> columns_;  // [input width][kLanes]
  std::vector<const T*> rows_;
};

template <typename T>
void resize_planes(const ResizeAxis& vertical, const ResizeAxis& horizontal, const Tensor& input,
                   std::int64_t first_input_row, std::int64_t y0, Tensor& output) {
  const std::int64_t height = output.size(-2), blocks = (height + kLanes - 1) / kLanes;
  const std::int64_t in_plane = input.size(-2) * input.size(-1), out_plane = height * output.size(-1);
  const T* in = input.data_ptr<T>();
  T* out = output.data_ptr<T>();
  const std::int64_t planes = out_plane == 0 ? 0 : output.numel() / out_plane;
  at::parallel_for(0, planes * blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    PlaneResizer<T> resizer(vertical, horizontal, first_input_row);
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t plane = task / blocks, y = task % blocks * kLanes;
      resizer.block(in + plane * in_plane, y0 + y, std::min(kLanes, height - y),
                    out + plane * out_plane + y * output.size(-1));
    }
  });
}

void check_scale(double scale) {
  if (!(scale > 0) || !std::isfinite(scale))
    throw Error(fmt::format("cannot resize by a scale of {}", scale));
}

void check_image(const Tensor& image) {
  const bool floating = image.scalar_type() == at::kFloat || image.scalar_type() == at::kDouble;
  if (image.dim() < 2 || !floating || !image.device().is_cpu()) {
    throw Error("resizing needs a float32 or float64 image [..., H, W] in the CPU's memory");
  }
}

}  // namespace

ResizeKernel resize_kernel(std::string_view name) {
  using Entry = std::pair<std::string_view, ResizeKernel>;
  static constexpr std::array<Entry, 7> names = {
      Entry{"cubic", ResizeKernel::cubic},       Entry{"bicubic", ResizeKernel::cubic},
      Entry{"triangle", ResizeKernel::triangle}, Entry{"bilinear", ResizeKernel::triangle},
      Entry{"box", ResizeKernel::box},           Entry{"lanczos2", ResizeKernel::lanczos2},
      Entry{"lanczos3", ResizeKernel::lanczos3}};
  const auto found =
      std::find_if(names.begin(), names.end(), [&](const Entry& e) { return e.first == name; });
  if (found == names.end()) {
    throw UsageError(
        fmt::format("unknown resize kernel {} (box, triangle, cubic, lanczos2, lanczos3)", name));
  }
  return found->second;
}

std::int64_t ResizeAxis::source(std::int64_t i, std::int64_t k) const {
  const std::int64_t j = first[static_cast<std::size_t>(i)] + k;
  if (j >= 0 && j < length) return j;
  const std::int64_t period = 2 * length, m = (j % period + period) % period;
  return m < length ? m : period - 1 - m;
}

ResizeAxis resize_axis(std::int64_t length, std::int64_t outputs, double scale, const ResizeOptions& options,
                       at::ScalarType type) {
  if (length < 1 || outputs < 1) throw Error(fmt::format("cannot resize {} pixels to {}", length, outputs));
  check_scale(scale);
  if (type != at::kFloat && type != at::kDouble) throw Error("resizing works in float32 or float64 only");
  const bool widen = scale < 1 && options.antialias;
  const double width = support(options.kernel) / (widen ? scale : 1.0);
  ResizeAxis axis;
  axis.length = length;
  axis.first.resize(static_cast<std::size_t>(outputs));
  axis.weights = at::empty({outputs, static_cast<std::int64_t>(std::ceil(width))}, type);
  type == at::kFloat ? fill_axis<float>(axis, scale, width, options)
                     : fill_axis<double>(axis, scale, width, options);
  return axis;
}

std::int64_t resized_length(std::int64_t length, double scale) {
  check_scale(scale);
  return static_cast<std::int64_t>(std::ceil(static_cast<double>(length) * scale));
}

Resizer::Resizer(ResizeAxis vertical, ResizeAxis horizontal)
    : vertical_(std::move(vertical)), horizontal_(std::move(horizontal)) {
  if (vertical_.weights.scalar_type() != horizontal_.weights.scalar_type()) {
    throw Error("the two axes of a resizer must be of one type");
  }
}

Resizer Resizer::by_scale(std::int64_t height, std::int64_t width, double scale, const ResizeOptions& options,
                          at::ScalarType type) {
  const auto axis = [&](std::int64_t length) {
    return resize_axis(length, resized_length(length, scale), scale, options, type);
  };
  return {axis(height), axis(width)};
}

Resizer Resizer::to_size(std::int64_t height, std::int64_t width, std::int64_t new_height,
                         std::int64_t new_width, const ResizeOptions& options, at::ScalarType type) {
  const auto axis = [&](std::int64_t length, std::int64_t outputs) {
    const double scale = static_cast<double>(outputs) / static_cast<double>(length);
    return resize_axis(length, outputs, scale, options, type);
  };
  return {axis(height, new_height), axis(width, new_width)};
}

RowRange Resizer::input_rows(std::int64_t y0, std::int64_t y1) const {
  if (y0 < 0 || y1 <= y0 || y1 > height()) {
    throw Error(fmt::format("rows {} to {} are not in an image of {}", y0, y1, height()));
  }
  RowRange range{vertical_.length, 0};
  for (std::int64_t y = y0; y < y1; ++y) {
    for (std::int64_t k = 0; k < vertical_.taps(); ++k) {
      const std::int64_t row = vertical_.source(y, k);
      range = {std::min(range.begin, row), std::max(range.end, row + 1)};
    }
  }
  return range;
}

Tensor Resizer::rows(std::int64_t y0, std::int64_t y1, const Tensor& input,
                     std::int64_t first_input_row) const {
  check_image(input);
  const RowRange needed = input_rows(y0, y1);
  if (input.size(-1) != horizontal_.length || input.scalar_type() != vertical_.weights.scalar_type() ||
      first_input_row > needed.begin || first_input_row + input.size(-2) < needed.end) {
    throw Error(fmt::format("rows {} to {} cannot be resized from the strip given", y0, y1));
  }
  const Tensor contiguous = input.contiguous();
  std::vector<std::int64_t> shape = input.sizes().vec();
  shape[shape.size() - 2] = y1 - y0;
  shape.back() = width();
  Tensor output = at::empty(shape, input.options().memory_format(at::MemoryFormat::Contiguous));
  const auto resize = input.scalar_type() == at::kFloat ? resize_planes<float> : resize_planes<double>;
  resize(vertical_, horizontal_, contiguous, first_input_row, y0, output);
  return output;
}

Tensor imresize(const Tensor& image, double scale, const ResizeOptions& options) {
  check_image(image);
  const Resizer resizer =
      Resizer::by_scale(image.size(-2), image.size(-1), scale, options, image.scalar_type());
  return resizer.rows(0, resizer.height(), image, 0);
}

Tensor imresize_to(const Tensor& image, std::int64_t height, std::int64_t width,
                   const ResizeOptions& options) {
  check_image(image);
  const Resizer resizer =
      Resizer::to_size(image.size(-2), image.size(-1), height, width, options, image.scalar_type());
  return resizer.rows(0, height, image, 0);
}

}  // namespace sr
