#include "degrade/usm.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <vector>

#include "core/error.h"
#include "core/simd.h"
#include "degrade/kernels.h"
#include "degrade/plane_filters.h"

namespace sr {
namespace {

Tensor sharpened_by_aten(const Tensor& images, const Tensor& gaussian, const UsmOptions& options) {
  const Tensor difference = images - filter_separable(images, gaussian, gaussian);
  const Tensor mask = (difference.abs() * 255).gt(options.threshold).to(images.scalar_type());
  const Tensor soft_mask = filter_separable(mask, gaussian, gaussian);
  const Tensor sharp = (images + options.weight * difference).clamp(0, 1);
  return soft_mask * sharp + (1 - soft_mask) * images;
}

/// `sharp` = image + weight * (image - blurred), clamped; `mask` is 1 where that difference counts.
SR_VECTORISED void sharpen(const float* image, const float* blurred, std::ptrdiff_t n, float weight,
                           float threshold, float* sharp, float* mask) {
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    const float difference = image[i] - blurred[i];
    mask[i] = std::abs(difference) * 255 > threshold ? 1.0f : 0.0f;
    sharp[i] = std::min(std::max(image[i] + weight * difference, 0.0f), 1.0f);
  }
}

/// `sharp` becomes mask * sharp + (1 - mask) * image.
SR_VECTORISED void blend(const float* image, const float* mask, std::ptrdiff_t n, float* sharp) {
  for (std::ptrdiff_t i = 0; i < n; ++i) sharp[i] = mask[i] * sharp[i] + (1 - mask[i]) * image[i];
}

/// Filters a plane, in parallel, and gives every band of it to `body` with its place in the plane.
template <typename Body>
void each_band(const SeparableFilter& prototype, const PlaneShape& shape, const float* plane,
               const Body& body) {
  constexpr std::int64_t kBandsPerTask = 16;
  at::parallel_for(0, shape.bands(), kBandsPerTask, [&](std::int64_t begin, std::int64_t end) {
    SeparableFilter filter = prototype;
    std::vector<float> filtered(static_cast<std::size_t>(kBandRows * shape.width));
    for (std::int64_t y = begin * kBandRows; y < std::min(end * kBandRows, shape.height); y += kBandRows) {
      filter.band(plane, y, filtered.data());
      const std::int64_t rows = std::min<std::int64_t>(kBandRows, shape.height - y);
      body(filtered.data(), y * shape.width, rows * shape.width);
    }
  });
}

/// Plane by plane, so that the mask is one plane and everything is in the cache.
Tensor sharpened(const Tensor& images, const Tensor& gaussian, const UsmOptions& options) {
  const Tensor input = images.contiguous();
  Tensor output = at::empty_like(input);
  const PlaneShape shape{input.size(2), input.size(3), Border::reflect};
  const std::int64_t pixels = shape.height * shape.width;
  const SeparableFilter filter(shape, centred_taps(gaussian), centred_taps(gaussian));
  const auto weight = static_cast<float>(options.weight), threshold = static_cast<float>(options.threshold);
  std::vector<float> mask(static_cast<std::size_t>(pixels));
  for (std::int64_t plane = 0; plane < input.size(0) * input.size(1); ++plane) {
    const float* image = input.data_ptr<float>() + plane * pixels;
    float* sharp = output.data_ptr<float>() + plane * pixels;
    each_band(filter, shape, image, [&](const float* blurred, std::int64_t from, std::int64_t n) {
      sharpen(image + from, blurred, n, weight, threshold, sharp + from, mask.data() + from);
    });
    each_band(filter, shape, mask.data(), [&](const float* soft_mask, std::int64_t from, std::int64_t n) {
      blend(image + from, soft_mask, n, sharp + from);
    });
  }
  return output;
}

}  // namespace

Tensor usm_sharp(const Tensor& images, const UsmOptions& options) {
  if (images.dim() != 4) throw Error("sharpening takes pictures [N,C,H,W]");
  if (options.radius < 0)
    throw Error(fmt::format("a picture cannot be sharpened with a radius of {}", options.radius));
  const int size = options.radius / 2 * 2 + 1;
  if (std::min(images.size(2), images.size(3)) <= size / 2) {
    throw Error(fmt::format("a picture of {}x{} pixels is too small to be sharpened with a radius of {}",
                            images.size(3), images.size(2), options.radius));
  }
  const Tensor gaussian = opencv_gaussian(size, 0);
  return loops_apply(images) ? sharpened(images, gaussian, options)
                             : sharpened_by_aten(images, gaussian, options);
}

}  // namespace sr
