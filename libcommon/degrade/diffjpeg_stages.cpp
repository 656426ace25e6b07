#include "degrade/diffjpeg_stages.h"

#include <array>
#include <cmath>
#include <numbers>
#include <vector>

namespace sr::diffjpeg {
namespace {

/// Planes [N,C,H,W] of linear combinations of the channels of `images`, with a row of weights for each.
Tensor mixed(const Tensor& images, const std::array<float, 9>& weights) {
  const Tensor matrix = torch::tensor(at::ArrayRef<float>(weights.data(), weights.size()),
                                      images.options().requires_grad(false));
  return at::einsum("ck,nkhw->nchw", {matrix.view({3, 3}), images});
}

/// cos((2 x + 1) u pi / 16) / 2, and 1 / sqrt(8) for u = 0, at [u][x]: orthonormal.
Tensor basis(const at::TensorOptions& options) {
  std::array<float, 64> values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t u = i / 8, x = i % 8;
    const double angle = static_cast<double>((2 * x + 1) * u) * std::numbers::pi / 16;
    values[i] = static_cast<float>(u == 0 ? std::sqrt(0.125) : 0.5 * std::cos(angle));
  }
  return torch::tensor(at::ArrayRef<float>(values.data(), values.size()), options.requires_grad(false))
      .view({8, 8});
}

Tensor rounded(const Tensor& values, JpegRounding rounding) {
  const Tensor whole = values.round();
  return rounding == JpegRounding::nearest ? whole : whole + (values - whole).pow(3);
}

/// A component's quantisation steps of every sample: [N or 1,1,8,8].
Tensor steps_of(Component component, std::span<const double> quality, const at::TensorOptions& options) {
  std::vector<float> factors;
  for (const double q : quality) factors.push_back(static_cast<float>(quality_factor(q)));
  const auto table = quantisation_table(component);
  const auto plain = options.requires_grad(false);
  const Tensor steps =
      torch::tensor(at::ArrayRef<float>(table.data(), table.size()), plain).view({1, 1, 8, 8});
  return steps * torch::tensor(factors, plain).view({-1, 1, 1, 1});
}

Tensor recoded_plane(const Tensor& plane, const Tensor& steps, JpegRounding rounding) {
  const Tensor coefficients = quantised(dct(to_blocks(plane)), steps, rounding) * steps;
  return to_plane(inverse_dct(coefficients), plane.size(1), plane.size(2));
}

}  // namespace

double quality_factor(double quality) { return quality < 50 ? 50 / quality : (200 - 2 * quality) / 100; }

std::span<const float, 64> quantisation_table(Component component) {
  // JPEG's annex K, tables K.1 (transposed) and K.2.
  static constexpr std::array<float, 64> luma = {
      16,  12,  14,  14,  18, 24, 49, 72, 11,  12,  13,  17,  22, 35, 64, 92, 10,  14,  16,  22, 37, 55,
      78,  95,  16,  19,  24, 29, 56, 64, 87,  98,  24,  26,  40, 51, 68, 81, 103, 112, 40,  58, 57, 87,
      109, 104, 121, 100, 51, 60, 69, 80, 103, 113, 120, 103, 61, 55, 56, 62, 77,  92,  101, 99};
  static constexpr std::array<float, 64> chroma = {
      17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99,
      99, 99, 47, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
      99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99};
  return component == Component::luma ? luma : chroma;
}

Planes to_planes(const Tensor& images) {
  // JFIF's full-range YCbCr
  const Tensor planes =
      mixed(images * 255, {0.299, 0.587, 0.114, -0.168736, -0.331264, 0.5, 0.5, -0.418688, -0.081312});
  const Tensor chroma = at::avg_pool2d(planes.slice(1, 1, 3), {2, 2}) + 128;
  return {planes.select(1, 0), chroma.select(1, 0), chroma.select(1, 1)};
}

Tensor to_images(const Planes& planes) {
  const Tensor chroma = at::stack({planes.cb, planes.cr}, 1) - 128;
  const Tensor full = chroma.repeat_interleave(2, 2).repeat_interleave(2, 3);
  const Tensor all = at::cat({planes.y.unsqueeze(1), full}, 1);
  return mixed(all, {1, 0, 1.402, 1, -0.344136, -0.714136, 1, 1.772, 0}).clamp(0, 255) / 255;
}

Tensor to_blocks(const Tensor& plane) {
  const std::int64_t height = plane.size(1), width = plane.size(2);
  return plane.reshape({-1, height / 8, 8, width / 8, 8}).transpose(2, 3).reshape({plane.size(0), -1, 8, 8});
}

Tensor to_plane(const Tensor& blocks, std::int64_t height, std::int64_t width) {
  return blocks.view({-1, height / 8, width / 8, 8, 8})
      .transpose(2, 3)
      .reshape({blocks.size(0), height, width});
}

Tensor dct(const Tensor& blocks) {
  const Tensor cosines = basis(blocks.options());
  return at::matmul(cosines, at::matmul(blocks - 128, cosines.t()));
}

Tensor inverse_dct(const Tensor& coefficients) {
  const Tensor cosines = basis(coefficients.options());
  return at::matmul(cosines.t(), at::matmul(coefficients, cosines)) + 128;
}

Tensor quantised(const Tensor& coefficients, const Tensor& steps, JpegRounding rounding) {
  return rounded(coefficients / steps, rounding);
}

Tensor recoded(const Tensor& images, std::span<const double> quality, JpegRounding rounding) {
  const std::int64_t height = images.size(2), width = images.size(3);
  const Tensor padded = at::constant_pad_nd(images, {0, (16 - width % 16) % 16, 0, (16 - height % 16) % 16});
  Planes planes = to_planes(padded);
  const Tensor chroma_steps = steps_of(Component::chroma, quality, images.options());
  planes.y = recoded_plane(planes.y, steps_of(Component::luma, quality, images.options()), rounding);
  planes.cb = recoded_plane(planes.cb, chroma_steps, rounding);
  planes.cr = recoded_plane(planes.cr, chroma_steps, rounding);
  return to_images(planes).slice(2, 0, height).slice(3, 0, width).contiguous();
}

}  // namespace sr::diffjpeg
