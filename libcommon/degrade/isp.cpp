#include "degrade/isp.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "core/simd.h"

namespace sr {
namespace {

// --- colours -----------------------------------------------------------------------------------------------

using Matrix = std::array<double, 9>;  // row-major

/// CIE XYZ to four cameras' own colours, and linear sRGB to XYZ.
/// Source: google-research/google-research unprocessing/unprocess.py random_ccm.
constexpr std::array<Matrix, 4> kXyzToCamera{
    Matrix{1.0234, -0.2969, -0.2266, -0.5625, 1.6328, -0.0469, -0.0703, 0.2188, 0.6406},
    Matrix{0.4913, -0.0541, -0.0202, -0.613, 1.3513, 0.2906, -0.1564, 0.2151, 0.7183},
    Matrix{0.838, -0.263, -0.0639, -0.2887, 1.0725, 0.2496, -0.0627, 0.1427, 0.5438},
    Matrix{0.6596, -0.2079, -0.0562, -0.4782, 1.3016, 0.1933, -0.097, 0.1581, 0.5181}};
constexpr Matrix kRgbToXyz{0.4124564, 0.3575761, 0.1804375, 0.2126729, 0.7151522,
                           0.0721750, 0.0193339, 0.1191920, 0.9503041};

Tensor tensor_of(const Matrix& matrix) {
  return torch::tensor(at::ArrayRef<double>(matrix), at::kDouble).view({3, 3});
}

/// Linear sRGB to a camera that is mixed of the four; white stays white.
Tensor rgb_to_camera(const std::array<double, 4>& weights) {
  Tensor mixed = at::zeros({3, 3}, at::kDouble);
  for (std::size_t i = 0; i < weights.size(); ++i) mixed.add_(tensor_of(kXyzToCamera[i]), weights[i]);
  const Tensor matrix = mixed.matmul(tensor_of(kRgbToXyz));
  return matrix.div(matrix.sum(1, true));
}

// --- tones -------------------------------------------------------------------------------------------------

constexpr double kGamma = 2.2;

/// Gamma, and then smoothstep, 3 v^2 - 2 v^3. Source of the inverse: unprocess.py inverse_smoothstep,
/// gamma_expansion.
double displayed(double light) {
  const double v = std::pow(light, 1 / kGamma);
  return (3 - 2 * v) * v * v;
}

double light_of(double display) { return std::pow(0.5 - std::sin(std::asin(1 - 2 * display) / 3), kGamma); }

/// A function on [0, 1], linear between the ends of its cells.
struct Curve {
  static constexpr int kCells = 4096;

  explicit Curve(double (*function)(double)) {
    for (int i = 0; i <= kCells; ++i)
      values[i] = static_cast<float>(function(static_cast<double>(i) / kCells));
    values[kCells + 1] = values[kCells];  // the right end of the cell that begins at 1
  }

  std::array<float, kCells + 2> values;
};

/// Of values that are clamped to [0, 1] (NaN to 0) first; `in` may be `out`. Each step has a loop of its own,
/// as the compiler makes no vectors of several conditions in one.
SR_VECTORISED void look_up(const Curve& curve, const float* in, std::int64_t n, float* out) {
  constexpr std::int64_t kBlock = 256;
  float place[kBlock];
  std::int32_t cell[kBlock];
  const float* const values = curve.values.data();
  for (; n > 0; n -= kBlock, in += kBlock, out += kBlock) {
    const auto count = static_cast<std::int32_t>(std::min(n, kBlock));
    for (std::int32_t i = 0; i < count; ++i) place[i] = in[i] > 0 ? in[i] : 0;
    for (std::int32_t i = 0; i < count; ++i) place[i] = place[i] < 1 ? place[i] : 1;
    for (std::int32_t i = 0; i < count; ++i) {
      const float at = place[i] * Curve::kCells;
      cell[i] = static_cast<std::int32_t>(at);
      place[i] = at - static_cast<float>(cell[i]);
    }
    for (std::int32_t i = 0; i < count; ++i) {
      const float left = values[cell[i]], right = values[cell[i] + 1];
      out[i] = left + place[i] * (right - left);
    }
  }
}

// --- the camera --------------------------------------------------------------------------------------------

/// Rows are the cross products of the others' columns over the determinant. (LAPACK would wake its threads.)
Tensor inverted(const Tensor& matrix) {
  const Tensor a = matrix[0], b = matrix[1], c = matrix[2];
  const Tensor columns =
      at::stack({at::linalg_cross(b, c), at::linalg_cross(c, a), at::linalg_cross(a, b)}, 1);
  return columns.div(columns.select(1, 0).mul(a).sum());
}

template <std::size_t N>
std::array<float, N> floats(const Tensor& values) {
  const Tensor contiguous = values.to(at::kFloat).contiguous();
  std::array<float, N> array;
  std::copy_n(contiguous.data_ptr<float>(), N, array.begin());
  return array;
}

/// One colour of the mosaic: linear sRGB to its raw value.
struct Filter {
  float red, green, blue;
  float gain;  ///< the inverse of white balance and exposure
  float lift;  ///< what the gain lacks to 1
};

/// What the inner loops need.
struct Camera {
  explicit Camera(const IspOptions& options)
      : exposure(static_cast<float>(options.exposure)),
        gains{static_cast<float>(options.red_gain), 1, static_cast<float>(options.blue_gain)} {
    const Tensor matrix = rgb_to_camera(options.camera_weights);
    to_camera = floats<9>(matrix);
    from_camera = floats<9>(inverted(matrix));
    gray = floats<3>(matrix.mean(0));
  }

  Filter filter(std::size_t colour) const {
    const float gain = 1 / (gains[colour] * exposure);
    const float* row = to_camera.data() + 3 * colour;
    return {row[0], row[1], row[2], gain, std::max(1 - gain, 0.0F)};
  }

  float exposure;
  std::array<float, 3> gains;  ///< white balance
  std::array<float, 9> to_camera, from_camera;
  std::array<float, 3> gray;  ///< linear sRGB to the mean of the camera's colours
};

/// Gains below 1 would dim what is white, so they fade out towards it (`mask` 1).
inline float raw_value(const Filter& filter, float r, float g, float b, float mask) {
  return (filter.red * r + filter.green * g + filter.blue * b) * (filter.gain + mask * filter.lift);
}

/// One row of the mosaic, whose pixels are `even` and `odd` ones in turn, of linear sRGB. Not clamped.
/// Source: unprocess.py safe_invert_gains.
SR_VECTORISED void expose_row(Filter even, Filter odd, std::array<float, 3> gray, const float* __restrict red,
                              const float* __restrict green, const float* __restrict blue, std::int64_t n,
                              float* __restrict raw) {
  constexpr float kNearWhite = 0.9F;
  for (std::int32_t x = 0; x < n; ++x) {
    const float r = red[x], g = green[x], b = blue[x];
    const float over = gray[0] * r + gray[1] * g + gray[2] * b - kNearWhite;
    const float excess = (over + std::abs(over)) * (0.5F / (1 - kNearWhite)), mask = excess * excess;
    const auto is_odd = static_cast<float>(x % 2);
    raw[x] = (1 - is_odd) * raw_value(even, r, g, b, mask) + is_odd * raw_value(odd, r, g, b, mask);
  }
}

/// `planes` [3,H,W] to a mosaic [H,W] of red, green, red, ... and green, blue, green, ...
Tensor exposed(const Camera& camera, const Curve& light, const Tensor& planes) {
  const std::int64_t height = planes.size(1), width = planes.size(2), plane = height * width;
  const std::array<Filter, 3> filters{camera.filter(0), camera.filter(1), camera.filter(2)};
  const Tensor raw = at::empty({height, width}, at::kFloat);
  const float* in = planes.data_ptr<float>();
  float* out = raw.data_ptr<float>();
  at::parallel_for(0, height, 16, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> rows(static_cast<std::size_t>(3 * width));
    float *red = rows.data(), *green = red + width, *blue = green + width;
    for (std::int64_t y = begin; y < end; ++y) {
      const float* row = in + y * width;
      look_up(light, row, width, red);
      look_up(light, row + plane, width, green);
      look_up(light, row + 2 * plane, width, blue);
      expose_row(filters[y % 2], filters[y % 2 + 1], camera.gray, red, green, blue, width, out + y * width);
    }
  });
  return raw.clamp_(0, 1);
}

// --- development -------------------------------------------------------------------------------------------

constexpr std::int64_t kReach = 2;  ///< of the demosaicing filters

/// Beyond the ends, without repeating them, so that colours of the mosaic stay in turn. length >= 2.
std::int64_t mirrored(std::int64_t i, std::int64_t length) {
  const std::int64_t period = 2 * (length - 1), place = (i + 2 * period) % period;
  return std::min(place, period - place);
}

/// `raw` [H,W] with a mirrored border of kReach.
Tensor bordered(const Tensor& raw) {
  const std::int64_t height = raw.size(0), width = raw.size(1);
  const Tensor wide = at::empty({height + 2 * kReach, width + 2 * kReach}, at::kFloat);
  float* to = wide.data_ptr<float>();
  for (std::int64_t y = -kReach; y < height + kReach; ++y, to += wide.size(1)) {
    const float* from = raw.data_ptr<float>() + mirrored(y, height) * width;
    std::copy_n(from, width, to + kReach);
    for (const std::int64_t x : {-kReach, -kReach + 1, width, width + 1})
      to[x + kReach] = from[mirrored(x, width)];
  }
  return wide;
}

/// One row of the mosaic: `own` is its colour beside green, `other` that of the rows above and below. `rows`
/// are the five rows around it; own colours lie at columns of parity `own_parity`. Source: Malvar, He and
/// Cutler, "High-quality linear interpolation for demosaicing of Bayer-patterned color images" (ICASSP 2004),
/// figure 2; MATLAB's demosaic is the same.
SR_VECTORISED void demosaic_row(const std::array<const float*, 5>& rows, std::int32_t own_parity,
                                std::int32_t n, float* __restrict own, float* __restrict green,
                                float* __restrict other) {
  const float *up2 = rows[0] + kReach, *up = rows[1] + kReach, *at = rows[2] + kReach,
              *down = rows[3] + kReach, *down2 = rows[4] + kReach;
  for (std::int32_t x = 0; x < n; ++x) {
    const float centre = at[x], beside = at[x - 1] + at[x + 1], beside2 = at[x - 2] + at[x + 2];
    const float above = up[x] + down[x], above2 = up2[x] + down2[x];
    const float corners = up[x - 1] + up[x + 1] + down[x - 1] + down[x + 1];
    const float cross = (4 * centre + 2 * (beside + above) - beside2 - above2) / 8;
    const float diagonal = (6 * centre + 2 * corners - 1.5F * (beside2 + above2)) / 8;
    const float across = (5 * centre + 4 * beside - corners - beside2 + 0.5F * above2) / 8;
    const float along = (5 * centre + 4 * above - corners - above2 + 0.5F * beside2) / 8;
    const auto is_green = static_cast<float>((x + own_parity) % 2), is_own = 1 - is_green;
    own[x] = is_own * centre + is_green * across;
    green[x] = is_own * cross + is_green * centre;
    other[x] = is_own * diagonal + is_green * along;
  }
}

SR_VECTORISED void amplify_row(float gain, float* row, std::int64_t n) {
  for (std::int64_t x = 0; x < n; ++x) row[x] *= gain;
  for (std::int64_t x = 0; x < n; ++x) row[x] = row[x] > 0 ? row[x] : 0;
  for (std::int64_t x = 0; x < n; ++x) row[x] = row[x] < 1 ? row[x] : 1;
}

SR_VECTORISED void mix_row(std::array<float, 9> matrix, float* __restrict red, float* __restrict green,
                           float* __restrict blue, std::int64_t n) {
  for (std::int64_t x = 0; x < n; ++x) {
    const float r = red[x], g = green[x], b = blue[x];
    red[x] = matrix[0] * r + matrix[1] * g + matrix[2] * b;
    green[x] = matrix[3] * r + matrix[4] * g + matrix[5] * b;
    blue[x] = matrix[6] * r + matrix[7] * g + matrix[8] * b;
  }
}

/// The mosaic to [3,H,W] for display.
Tensor developed(const Camera& camera, const Curve& display, const Tensor& raw) {
  const std::int64_t height = raw.size(0), width = raw.size(1), plane = height * width;
  const Tensor wide = bordered(raw), planes = at::empty({3, height, width}, at::kFloat);
  const float* in = wide.data_ptr<float>();
  float* out = planes.data_ptr<float>();
  std::array<float, 9> to_display = camera.from_camera;
  for (float& entry : to_display) entry *= camera.exposure;
  at::parallel_for(0, height, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t y = begin; y < end; ++y) {
      std::array<const float*, 5> rows;
      for (std::int64_t i = 0; i < 5; ++i) rows[i] = in + (y + i) * wide.size(1);
      float *red = out + y * width, *green = red + plane, *blue = green + plane;
      const bool is_even = y % 2 == 0;
      demosaic_row(rows, is_even ? 0 : 1, static_cast<std::int32_t>(width), is_even ? red : blue, green,
                   is_even ? blue : red);
      // Balanced values saturate where the sensor does, so that highlights stay without colour.
      amplify_row(camera.gains[0], red, width);
      amplify_row(camera.gains[1], green, width);
      amplify_row(camera.gains[2], blue, width);
      mix_row(to_display, red, green, blue, width);
      for (float* row : {red, green, blue}) look_up(display, row, width, row);
    }
  });
  return planes;
}

void check(const IspOptions& options, const Tensor& image) {
  const auto& weights = options.camera_weights;
  const double least = *std::min_element(weights.begin(), weights.end());
  if (!(least >= 0) || !(std::accumulate(weights.begin(), weights.end(), 0.0) > 0)) {
    throw Error("the weights of the cameras must not be negative, nor all 0");
  }
  if (!(options.exposure > 0 && options.red_gain > 0 && options.blue_gain > 0)) {
    throw Error("a camera's exposure and gains must be above 0");
  }
  if (!(options.shot_noise >= 0 && options.read_noise >= 0)) {
    throw Error("a camera's noise must not be negative");
  }
  if (std::min(image.size(2), image.size(3)) < kReach) {
    throw Error(fmt::format("camera noise needs a picture of at least 2 x 2 pixels, not {} x {}",
                            image.size(3), image.size(2)));
  }
}

}  // namespace

Tensor isp_noise(const Tensor& image, const IspOptions& options, const Tensor& normals) {
  check(options, image);
  static const Curve light(light_of), display(displayed);
  const Camera camera(options);
  const Tensor raw = exposed(camera, light, image.cpu().contiguous()[0]);
  raw.addcmul_(normals.cpu()[0][0], raw.mul(options.shot_noise).add_(options.read_noise).sqrt_());
  return developed(camera, display, raw).unsqueeze(0).to(image.device());
}

}  // namespace sr
