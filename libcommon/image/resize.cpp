#include "image/resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <limits>
#include <numbers>
#include <utility>

#include "core/error.h"
#include "core/simd.h"

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

/// This many neighbours are summed at once, in vector registers.
constexpr std::int64_t kLanes = 16;
/// Squares of this side are turned in registers.
constexpr std::int64_t kSquare = 4;

template <typename T, std::int64_t N>
struct VectorOf {
  using Type [[gnu::vector_size(N * sizeof(T))]] = T;
};
template <typename T>
using Lanes = typename VectorOf<T, kLanes>::Type;

std::int64_t whole_lanes(std::int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

/// Outputs [begin, end) of an axis as the inner loops read them: output begin + i is the sum over k < taps of
/// weights[i * taps + k] times the sample first_sample + sources[i * taps + k].
template <typename T>
struct Table {
  Table(const ResizeAxis& axis, std::int64_t begin, std::int64_t end, std::int64_t first_sample)
      : length(axis.length),
        outputs(end - begin),
        taps(axis.taps()),
        weights(axis.weights.data_ptr<T>() + begin * taps) {
    sources.reserve(static_cast<std::size_t>(outputs * taps));
    for (std::int64_t i = begin; i < end; ++i) {
      for (std::int64_t k = 0; k < taps; ++k) sources.push_back(axis.source(i, k) - first_sample);
    }
  }
  std::int64_t length, outputs, taps;
  const T* weights;
  std::vector<std::int64_t> sources;
};

// What follows is inlined into the plain functions `resize_block`, which have forms for wide vectors.

/// Output i of `table` to to[0..width): samples are rows of `stride` values, from `from` on.
template <typename T>
[[gnu::always_inline]] inline void sum_rows(const Table<T>& table, std::int64_t i, const T* from,
                                            std::int64_t stride, std::int64_t width, T* to) {
  const T* weights = table.weights + i * table.taps;
  const std::int64_t* sources = table.sources.data() + i * table.taps;
  std::int64_t x = 0;
  for (; x + kLanes <= width; x += kLanes) {
    Lanes<T> sum{}, values;
    for (std::int64_t k = 0; k < table.taps; ++k) {
      std::memcpy(&values, from + sources[k] * stride + x, sizeof values);
      sum += weights[k] * values;
    }
    std::memcpy(to + x, &sum, sizeof sum);
  }
  for (; x < width; ++x) {
    T sum = 0;
    for (std::int64_t k = 0; k < table.taps; ++k) sum += weights[k] * from[sources[k] * stride + x];
    to[x] = sum;
  }
}

/// to[x][y] = from[y][x] for kSquare x kSquare values in rows of the given strides.
template <typename T>
[[gnu::always_inline]] inline void turn_square(const T* from, std::int64_t from_stride, T* to,
                                               std::int64_t to_stride) {
  using Row = typename VectorOf<T, kSquare>::Type;
  std::array<Row, kSquare> in, out;
  for (std::int64_t y = 0; y < kSquare; ++y) std::memcpy(&in[y], from + y * from_stride, sizeof(Row));
  const Row left01 = __builtin_shufflevector(in[0], in[1], 0, 4, 1, 5);
  const Row left23 = __builtin_shufflevector(in[2], in[3], 0, 4, 1, 5);
  const Row right01 = __builtin_shufflevector(in[0], in[1], 2, 6, 3, 7);
  const Row right23 = __builtin_shufflevector(in[2], in[3], 2, 6, 3, 7);
  out[0] = __builtin_shufflevector(left01, left23, 0, 1, 4, 5);
  out[1] = __builtin_shufflevector(left01, left23, 2, 3, 6, 7);
  out[2] = __builtin_shufflevector(right01, right23, 0, 1, 4, 5);
  out[3] = __builtin_shufflevector(right01, right23, 2, 3, 6, 7);
  for (std::int64_t x = 0; x < kSquare; ++x) std::memcpy(to + x * to_stride, &out[x], sizeof(Row));
}

/// to [width][height] from [height][width]; both are multiples of kSquare.
template <typename T>
[[gnu::always_inline]] inline void turn(const T* from, std::int64_t height, std::int64_t width, T* to) {
  for (std::int64_t y = 0; y < height; y += kSquare) {
    for (std::int64_t x = 0; x < width; x += kSquare) {
      turn_square(from + y * width + x, width, to + x * height + y, height);
    }
  }
}

/// Makes blocks of kLanes output rows: they are summed down the columns, turned, summed along the rows (which
/// then lie side by side) and turned back.
template <typename T>
class BlockResizer {
 public:
  BlockResizer(const Table<T>& vertical, const Table<T>& horizontal)
      : vertical_(vertical),
        horizontal_(horizontal),
        wide_(
            static_cast<std::size_t>(kLanes * whole_lanes(std::max(horizontal.length, horizontal.outputs)))),
        turned_(wide_.size()) {}

  /// Output rows [y, y + n) to `output`, n <= kLanes.
  [[gnu::always_inline]] void block(const T* input, std::int64_t y, std::int64_t n, T* output) {
    const std::int64_t width = horizontal_.outputs;
    const std::int64_t stride = whole_lanes(horizontal_.length), to_stride = whole_lanes(width);
    for (std::int64_t lane = 0; lane < n; ++lane) {
      sum_rows(vertical_, y + lane, input, horizontal_.length, horizontal_.length,
               wide_.data() + lane * stride);
    }
    turn(wide_.data(), kLanes, stride, turned_.data());
    for (std::int64_t x = 0; x < width; ++x) {
      sum_rows(horizontal_, x, turned_.data(), kLanes, kLanes, wide_.data() + x * kLanes);
    }
    turn(wide_.data(), to_stride, kLanes, turned_.data());
    for (std::int64_t lane = 0; lane < n; ++lane) {
      std::copy_n(turned_.data() + lane * to_stride, width, output + lane * width);
    }
  }

 private:
  const Table<T>& vertical_;
  const Table<T>& horizontal_;
  std::vector<T> wide_, turned_;  // kLanes rows or columns, of the input's or output's width
};

SR_VECTORISED void resize_block(BlockResizer<float>& resizer, const float* input, std::int64_t y,
                                std::int64_t n, float* output) {
  resizer.block(input, y, n, output);
}

SR_VECTORISED void resize_block(BlockResizer<double>& resizer, const double* input, std::int64_t y,
                                std::int64_t n, double* output) {
  resizer.block(input, y, n, output);
}

template <typename T>
void resize_planes(const ResizeAxis& vertical, const ResizeAxis& horizontal, const Tensor& input,
                   std::int64_t first_input_row, std::int64_t y0, Tensor& output) {
  const std::int64_t height = output.size(-2), width = output.size(-1),
                     blocks = (height + kLanes - 1) / kLanes;
  const std::int64_t in_plane = input.size(-2) * input.size(-1), out_plane = height * width;
  const Table<T> down(vertical, y0, y0 + height, first_input_row), across(horizontal, 0, width, 0);
  const T* in = input.data_ptr<T>();
  T* out = output.data_ptr<T>();
  const std::int64_t planes = out_plane == 0 ? 0 : output.numel() / out_plane;
  at::parallel_for(0, planes * blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    BlockResizer<T> resizer(down, across);
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t plane = task / blocks, y = task % blocks * kLanes;
      resize_block(resizer, in + plane * in_plane, y, std::min(kLanes, height - y),
                   out + plane * out_plane + y * width);
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
