#include "quality/topiq.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/feature_net.h"
#include "quality/image_check.h"
#include "quality/opinion.h"

namespace sr {
namespace {

constexpr int64_t kAestheticSide = 384;

/// Shorter side at `side`, as torchvision.transforms.functional.resize rounds the longer one.
Tensor resized(const Tensor& images, int64_t side) {
  const int64_t height = images.size(2), width = images.size(3), shorter = std::min(height, width);
  if (shorter == side) return images;
  const auto scaled = [&](int64_t length) { return length == shorter ? side : side * length / shorter; };
  return at::_upsample_bilinear2d_aa(images, {scaled(height), scaled(width)}, /*align_corners=*/false);
}

}  // namespace

Tensor Topiq::input(const Tensor& images) const {
  const Tensor sized = network_.config().classes > 1 ? resized(images, kAestheticSide) : images;
  return normalised(sized, kImagenetNormalisation);
}

double Topiq::operator()(const Tensor& image) const {
  if (needs_reference()) throw Error("these TOPIQ weights compare with a reference, and there is none");
  check_image(image, "TOPIQ");
  return mean_opinion(network_.judge(network_.features(input(image)), {}));
}

double Topiq::operator()(const Tensor& image, const Tensor& reference) const {
  if (!needs_reference()) throw Error("these TOPIQ weights judge without a reference");
  check_pair(image, reference, "TOPIQ");
  return mean_opinion(network_.judge(network_.features(input(image)), network_.features(input(reference))));
}

std::string Topiq::describe() const {
  const TopiqConfig& config = network_.config();
  return fmt::format(
      "TOPIQ {} (pyiqa): RGB, ImageNet mean and deviation; {}; ResNet-50, {} features, {}",
      config.reference ? "with reference" : "without reference",
      config.classes > 1 ? "shorter side 384, antialiased bilinear" : "no resizing, no cropping",
      config.features, config.classes > 1 ? "mean of a distribution" : "one score");
}

}  // namespace sr
