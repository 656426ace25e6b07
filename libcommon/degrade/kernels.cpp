#include "degrade/kernels.h"

#include <cmath>
#include <fmt/format.h>
#include <math.h>  // j1, which is POSIX
#include <numbers>
#include <vector>

#include "core/error.h"

namespace sr {
namespace {

void check_size(int size) {
  if (size < 1 || size % 2 == 0)
    throw Error(fmt::format("a kernel cannot have the size {}, which is not odd", size));
}

void check_positive(const char* name, double value) {
  if (!(value > 0) || !std::isfinite(value)) {
    throw Error(fmt::format("a kernel's {} must be positive, but it is {}", name, value));
  }
}

Tensor normalised(const Tensor& kernel) {
  const double sum = kernel.sum().item<double>();
  if (!(sum > 0) || !std::isfinite(sum))
    throw Error(fmt::format("a kernel of sum {} cannot be normalised", sum));
  return kernel / sum;
}

/// value(x, y) at the pixels around the centre, normalised.
template <typename Value>
Tensor kernel_of(int size, const Value& value) {
  Tensor kernel = at::empty({size, size}, at::kDouble);
  double* to = kernel.data_ptr<double>();
  const int radius = size / 2;
  for (int y = -radius; y <= radius; ++y) {
    for (int x = -radius; x <= radius; ++x) *to++ = value(x, y);
  }
  return normalised(kernel);
}

/// value(m), m the squared Mahalanobis distance.
template <typename Value>
Tensor elliptic_kernel(const KernelAxes& axes, const Value& value) {
  check_size(axes.size);
  check_positive("sigma", axes.sigma_x);
  check_positive("sigma", axes.sigma_y);
  if (!std::isfinite(axes.theta)) throw Error(fmt::format("a kernel cannot be turned by {}", axes.theta));
  const double c = std::cos(axes.theta), s = std::sin(axes.theta);
  return kernel_of(axes.size, [&](int x, int y) {
    const double u = (c * x + s * y) / axes.sigma_x, v = (c * y - s * x) / axes.sigma_y;
    return value(u * u + v * v);
  });
}

/// The Gaussians that OpenCV has in a table (modules/imgproc/src/smooth.dispatch.cpp,
/// getGaussianKernelBitExact).
std::vector<double> opencv_table(int size) {
  switch (size) {
    case 1: return {1};
    case 3: return {0.25, 0.5, 0.25};
    case 5: return {0.0625, 0.25, 0.375, 0.25, 0.0625};
    case 7: return {0.03125, 0.109375, 0.21875, 0.28125, 0.21875, 0.109375, 0.03125};
    case 9:
      return {4 / 256.,  13 / 256., 30 / 256., 51 / 256., 60 / 256.,
              51 / 256., 30 / 256., 13 / 256., 4 / 256.};
    default: return {};
  }
}

}  // namespace

Tensor gaussian_kernel(const KernelAxes& axes) {
  return elliptic_kernel(axes, [](double m) { return std::exp(-m / 2); });
}

Tensor generalized_gaussian_kernel(const KernelAxes& axes, double beta) {
  check_positive("beta", beta);
  return elliptic_kernel(axes, [&](double m) { return std::exp(-std::pow(m, beta) / 2); });
}

Tensor plateau_kernel(const KernelAxes& axes, double beta) {
  check_positive("beta", beta);
  return elliptic_kernel(axes, [&](double m) { return 1 / (std::pow(m, beta) + 1); });
}

Tensor sinc_kernel(int size, double cutoff) {
  check_size(size);
  if (!(cutoff > 0 && cutoff <= std::numbers::pi)) {
    throw Error(fmt::format("a sinc kernel's cut-off must lie between 0 and pi, but it is {}", cutoff));
  }
  // cutoff J1(cutoff r) / (2 pi r) but for a factor, which goes when the kernel is normalised.
  return kernel_of(size, [&](int x, int y) {
    const double phase = cutoff * std::hypot(x, y);
    return phase == 0 ? 0.5 : ::j1(phase) / phase;
  });
}

Tensor noisy_kernel(const Tensor& kernel, const Tensor& noise) {
  if (!kernel.sizes().equals(noise.sizes())) throw Error("a kernel's noise must be of the kernel's size");
  return normalised(kernel * noise);
}

Tensor padded_kernel(const Tensor& kernel, int size) {
  if (kernel.dim() != 2) throw Error("a kernel must have rows and columns");
  const std::int64_t rows = size - kernel.size(0), columns = size - kernel.size(1);
  if (rows < 0 || columns < 0 || rows % 2 != 0 || columns % 2 != 0) {
    throw Error(fmt::format("a kernel of {}x{} cannot be padded to {}x{}", kernel.size(1), kernel.size(0),
                            size, size));
  }
  return at::constant_pad_nd(kernel, {columns / 2, columns / 2, rows / 2, rows / 2});
}

Tensor shifted_kernel(const Tensor& kernel, int scale) {
  if (scale < 1) throw Error(fmt::format("a kernel cannot be shifted for a scale of {}", scale));
  const auto shifted_rows = [&](const Tensor& image) {
    const Tensor at = (at::arange(image.size(0), image.options().dtype(at::kDouble)) + 0.5 * (scale - 1))
                          .clamp_max(image.size(0) - 1.0);
    const Tensor above = at.floor(), below = at.ceil();
    const auto rows = [&](const Tensor& indices) { return image.index_select(0, indices.to(at::kLong)); };
    return at::lerp(rows(above), rows(below), (at - above).unsqueeze(1).to(image.scalar_type()));
  };
  return shifted_rows(shifted_rows(kernel).t()).t().contiguous();
}

Tensor opencv_gaussian(int size, double sigma) {
  check_size(size);
  if (!std::isfinite(sigma)) throw Error(fmt::format("a Gaussian cannot have a sigma of {}", sigma));
  const std::vector<double> fixed = opencv_table(size);
  if (sigma <= 0 && !fixed.empty()) return torch::tensor(fixed, at::kDouble);
  if (sigma <= 0) sigma = 0.3 * ((size - 1) * 0.5 - 1) + 0.8;
  const Tensor x = at::arange(size, at::kDouble) - size / 2;
  return normalised(at::exp(-x * x / (2 * sigma * sigma)));
}

}  // namespace sr
