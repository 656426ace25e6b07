#include "quality/maniqa.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <string_view>

#include "core/error.h"
#include "quality/image_check.h"

namespace sr {
namespace {

constexpr double kWeightFloor = 1e-8;  // the official denominator has it

ManiqaConfig with_scale(ManiqaConfig config, double scale) {
  config.scale = scale;
  return config;
}

}  // namespace

std::vector<ManiqaCrop> maniqa_crops(int64_t height, int64_t width, int64_t size, int64_t count) {
  const double root = std::sqrt(static_cast<double>(count));
  const auto steps = static_cast<int64_t>(root), columns = static_cast<int64_t>(std::ceil(root));
  const int64_t down = (height - size) / steps, right = (width - size) / steps;
  std::vector<ManiqaCrop> crops;
  for (int64_t i = 0; i < count; ++i)
    crops.push_back({.top = i / columns * down, .left = i % columns * right});
  return crops;
}

double maniqa_scale(const std::string& file_name) {
  static constexpr std::string_view pipal = "pipal";
  const auto found =
      std::search(file_name.begin(), file_name.end(), pipal.begin(), pipal.end(), [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == static_cast<unsigned char>(b);
      });
  return found == file_name.end() ? 0.8 : 0.13;
}

Tensor maniqa_input(const Tensor& image, int64_t size) {
  const Tensor centred = (image - 0.5) / 0.5;
  const int64_t shorter = std::min(image.size(2), image.size(3));
  if (shorter > size) return centred;
  // By a factor, not to a size: that factor also places the samples.
  const double factor = static_cast<double>(size + 1) / static_cast<double>(shorter);
  return at::upsample_bilinear2d(centred, at::OptionalIntArrayRef(), /*align_corners=*/false,
                                 c10::ArrayRef<double>{factor, factor});
}

Maniqa::Maniqa(const StateDict& weights, double scale)
    : Maniqa(with_scale(maniqa_config(weights), scale), weights) {}

Maniqa::Maniqa(const ManiqaConfig& config, const StateDict& weights, int64_t crops)
    : network_(config, weights), crops_(crops) {
  if (crops < 1) throw Error(fmt::format("MANIQA looks at one crop at least, not {}", crops));
}

double Maniqa::operator()(const Tensor& image) const {
  check_image(image, "MANIQA");
  const int64_t size = network_.config().vit.image_size;
  const Tensor input = maniqa_input(image, size);
  std::map<ManiqaCrop, int64_t> crops;  // and how often each is looked at
  for (const ManiqaCrop& crop : maniqa_crops(input.size(2), input.size(3), size, crops_)) ++crops[crop];
  double sum = 0, weights = 0;
  for (const auto& [crop, times] : crops) {
    const Tensor window = input.slice(2, crop.top, crop.top + size).slice(3, crop.left, crop.left + size);
    const auto [score, weight] = network_.forward(window);
    sum += static_cast<double>(times) * (score.to(at::kDouble) * weight).sum().item<double>();
    weights += static_cast<double>(times) * weight.to(at::kDouble).sum().item<double>();
  }
  return sum / (weights + kWeightFloor);
}

std::string Maniqa::describe() const {
  const ManiqaConfig& config = network_.config();
  return fmt::format(
      "MANIQA (pyiqa): RGB in [-1,1]; {} crops of {} on a grid, enlarged bilinearly where smaller; ViT patch "
      "{}, "
      "{} features; Swin scale {}",
      crops_, config.vit.image_size, config.vit.patch, config.vit.features, config.scale);
}

}  // namespace sr
