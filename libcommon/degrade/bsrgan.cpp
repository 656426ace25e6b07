#include "degrade/bsrgan.h"

#include <algorithm>
#include <fmt/format.h>
#include <span>
#include <tuple>

#include "core/error.h"
#include "core/simd.h"

namespace sr {
namespace {

Tensor vector(std::span<const double> entries) {
  return torch::tensor(at::ArrayRef<double>(entries.data(), entries.size()), at::kDouble);
}

Tensor matrix3(const std::array<double, 9>& entries) { return vector(entries).view({3, 3}); }

/// The symmetric R with R R = |covariance| in the sense of its eigenvalues. numpy's factor is R times a
/// rotation, which makes no difference to the noise; this one does not depend on LAPACK's choice of signs.
Tensor square_root(const ChannelCovariance& covariance) {
  const auto [values, vectors] = at::linalg_eigh(matrix3(covariance));
  return vectors.mul(values.abs().sqrt()).matmul(vectors.t());
}

/// The three planes of `out` from those of `in`, each of `plane` values, of which n are done here. Plain BLAS
/// takes six times as long, and wakes its threads.
SR_VECTORISED void mix_planes(std::array<float, 9> matrix, const float* in, std::int64_t plane,
                              std::int64_t n, float* __restrict out) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float a = in[i], b = in[i + plane], c = in[i + 2 * plane];
    out[i] = matrix[0] * a + matrix[1] * b + matrix[2] * c;
    out[i + plane] = matrix[3] * a + matrix[4] * b + matrix[5] * c;
    out[i + 2 * plane] = matrix[6] * a + matrix[7] * b + matrix[8] * c;
  }
}

/// On the CPU: `planes` [1,3,H,W] mixed by a float32 matrix.
Tensor mixed(const Tensor& planes, const Tensor& matrix) {
  const Tensor in = planes.contiguous(), out = at::empty_like(in);
  std::array<float, 9> entries;
  std::copy_n(matrix.contiguous().data_ptr<float>(), entries.size(), entries.begin());
  const float* from = in.data_ptr<float>();
  float* to = out.data_ptr<float>();
  const std::int64_t plane = in.size(2) * in.size(3);
  at::parallel_for(0, plane, at::internal::GRAIN_SIZE, [&](std::int64_t begin, std::int64_t end) {
    mix_planes(entries, from + begin, plane, end - begin, to + begin);
  });
  return out;
}

Tensor quantised(const Tensor& values) { return values.mul(255).round_().clamp_(0, 255).div_(255); }

}  // namespace

ChannelCovariance channel_covariance(const std::array<double, 3>& d, const std::array<double, 9>& matrix) {
  constexpr double kDeviation = 25 / 255.0;
  // scipy's orth: the left singular vectors.
  const Tensor basis = std::get<0>(at::linalg_svd(matrix3(matrix)));
  const Tensor spread = basis.t().mul(vector(d)).matmul(basis);
  const Tensor covariance = spread.abs().mul(kDeviation * kDeviation).contiguous();
  ChannelCovariance entries;
  std::copy_n(covariance.data_ptr<double>(), entries.size(), entries.begin());
  return entries;
}

Tensor correlated(const Tensor& normals, const ChannelCovariance& covariance) {
  const Tensor root = square_root(covariance).to(normals.device(), at::kFloat);
  if (normals.is_cpu()) return mixed(normals, root);
  return root.matmul(normals.flatten(2)).view_as(normals);
}

Tensor add_noise(const Tensor& image, const Tensor& noise) { return image.add(noise).clamp_(0, 1); }

Tensor add_speckle_noise(const Tensor& image, const Tensor& noise) {
  const Tensor clamped = image.clamp(0, 1);
  return clamped.mul_(noise.add(1)).clamp_(0, 1);
}

Tensor bsrgan_quantised(const Tensor& image) { return quantised(image); }

Tensor bsrgan_gray_quantised(const Tensor& image) {
  // In float64, as there: sums of thousandths lie on halves often enough.
  const Tensor levels = quantised(image).to(at::kDouble);
  const Tensor luma =
      levels.select(1, 0).mul(0.299).add_(levels.select(1, 1), 0.587).add_(levels.select(1, 2), 0.114);
  return quantised(luma).to(at::kFloat).unsqueeze(1);
}

Tensor add_bsrgan_poisson(const Tensor& image, double vals, const Tensor& counts) {
  const Tensor photons = counts.div(vals);
  if (counts.size(1) == image.size(1)) return photons.clamp(0, 1);
  const Tensor noise = photons.sub(bsrgan_gray_quantised(image));
  return add_noise(bsrgan_quantised(image), noise);
}

Tensor decimated(const Tensor& images, int scale) {
  if (scale < 1) throw Error(fmt::format("every {}-th pixel cannot be taken", scale));
  return images.slice(2, 0, images.size(2), scale).slice(3, 0, images.size(3), scale).contiguous();
}

}  // namespace sr
