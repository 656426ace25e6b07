#include "quality/niqe.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <utility>

#include "core/error.h"
#include "core/simd.h"
#include "image/colour.h"
#include "quality/natural_scene.h"
#include "quality/reference_resize.h"

namespace sr {
namespace {

constexpr double kWindowSigma = 7.0 / 6;

struct VariantName {
  NiqeVariant variant;
  std::string_view name, plane;
};

constexpr std::array<VariantName, 4> kVariants = {
    {{NiqeVariant::basicsr, "basicsr", "Y of YCbCr (BT.601, 16..235), float32"},
     {NiqeVariant::basicsr_gray, "basicsr-gray", "OpenCV's gray (0..255), float32"},
     {NiqeVariant::pyiqa, "pyiqa", "Y of YIQ (0..255), float64"},
     {NiqeVariant::pyiqa_ycbcr, "pyiqa-ycbcr", "Y of YCbCr (BT.601, 16..235), float64"}}};

const VariantName& entry(NiqeVariant variant) {
  return *std::find_if(kVariants.begin(), kVariants.end(),
                       [&](const VariantName& v) { return v.variant == variant; });
}

bool is_pyiqa(NiqeVariant variant) {
  return variant == NiqeVariant::pyiqa || variant == NiqeVariant::pyiqa_ycbcr;
}

// --- the plane -----------------------------------------------------------------------------------

/// OpenCV's COLOR_BGR2GRAY of float32 with its fused multiplications: products of floats are exact in double.
SR_VECTORISED void mix_gray(const float* red, const float* green, const float* blue, std::int64_t n,
                            float* gray) {
  constexpr float r = 0.299F, g = 0.587F, b = 0.114F;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto with_green = static_cast<float>(static_cast<double>(green[i]) * g + b * blue[i]);
    gray[i] = static_cast<float>(static_cast<double>(red[i]) * r + with_green);
  }
}

/// [H, W] of [3, H, W].
Tensor opencv_gray(const Tensor& rgb) {
  const Tensor input = rgb.contiguous();
  const std::int64_t pixels = input.size(1) * input.size(2);
  const auto* red = input.data_ptr<float>();
  Tensor gray = at::empty({input.size(1), input.size(2)}, at::kFloat);
  mix_gray(red, red + pixels, red + 2 * pixels, pixels, gray.data_ptr<float>());
  return gray;
}

/// red * weights[0] + green * weights[1] + blue * weights[2], in this order and rounded to float32 each time,
/// as pyiqa's matrix product does it.
Tensor weighted_sum(const Tensor& rgb, const std::array<float, 3>& weights) {
  return rgb[0].mul(weights[0]).add_(rgb[1].mul(weights[1])).add_(rgb[2].mul(weights[2]));
}

/// [H, W] in 0..255 of [C, H, W] in [0, 1].
Tensor one_plane(const Tensor& image, NiqeVariant variant) {
  if (image.size(0) == 1) {
    // pyiqa reads gray files as RGB.
    return is_pyiqa(variant) ? one_plane(image.expand({3, -1, -1}), variant) : image[0].mul(255);
  }
  switch (variant) {
    case NiqeVariant::basicsr: return luma(image)[0].mul_(255);
    case NiqeVariant::basicsr_gray: return opencv_gray(image).mul_(255);
    case NiqeVariant::pyiqa: return weighted_sum(image, {0.299F, 0.587F, 0.114F}).mul_(255);
    case NiqeVariant::pyiqa_ycbcr:
      return weighted_sum(image, {65.481F, 128.553F, 24.966F}).add_(16).div_(255).mul_(255);
  }
  throw Error("unknown variant of NIQE");
}

void check_image(const Tensor& image) {
  if (image.dim() != 4 || image.size(0) != 1 || (image.size(1) != 1 && image.size(1) != 3) ||
      !image.is_floating_point())
    throw Error("NIQE needs an image of one or three channels in float32 [1, C, H, W]");
}

/// Whole blocks of `plane`.
Tensor cropped_to_blocks(const Tensor& plane) {
  const std::int64_t rows = plane.size(0) / kNiqeBlock, columns = plane.size(1) / kNiqeBlock;
  if (rows < 1 || columns < 1) {
    throw Error(
        fmt::format("NIQE needs {0}x{0} pixels, not {1}x{2}", kNiqeBlock, plane.size(1), plane.size(0)));
  }
  return plane.slice(0, 0, rows * kNiqeBlock).slice(1, 0, columns * kNiqeBlock).contiguous();
}

// --- features ------------------------------------------------------------------------------------

/// Features of both scales, and the local deviation at the first.
std::pair<Tensor, Tensor> features_and_deviation(const Tensor& plane, const Tensor& window) {
  const NormalisedContrast full = normalised_contrast(plane, window);
  const NormalisedContrast half = normalised_contrast(niqe_half_size(plane), window);
  constexpr std::int64_t half_block = kNiqeBlock / 2;
  return {at::cat({scene_features(full.values, kNiqeBlock, kNiqeBlock),
                   scene_features(half.values, half_block, half_block)},
                  1),
          full.deviation};
}

/// The means of blocks of `map`, column after column.
Tensor block_means(const Tensor& map) {
  return map.to(at::kDouble)
      .unfold(0, kNiqeBlock, kNiqeBlock)
      .unfold(1, kNiqeBlock, kNiqeBlock)
      .mean(at::IntArrayRef{2, 3})
      .t()
      .flatten();
}

// --- parameters ----------------------------------------------------------------------------------

const Tensor& parameter(const StateDict& parameters, const std::string& key, std::int64_t values) {
  const auto found = parameters.find(key);
  if (found == parameters.end()) throw Error(fmt::format("the NIQE model lacks {}", key));
  if (found->second.numel() != values) {
    throw Error(
        fmt::format("the NIQE model's {} has {} values instead of {}", key, found->second.numel(), values));
  }
  return found->second;
}

GaussianModel pristine_model(const StateDict& parameters) {
  return {parameter(parameters, "mu_pris_param", kNiqeFeatures),
          parameter(parameters, "cov_pris_param", kNiqeFeatures * kNiqeFeatures)
              .reshape({kNiqeFeatures, kNiqeFeatures}),
          "the NIQE model"};
}

Tensor window_for(const StateDict& parameters, NiqeVariant variant) {
  const Tensor window = parameter(parameters, "gaussian_window", 49);
  return is_pyiqa(variant) ? gaussian_window(7, kWindowSigma).to(at::kFloat).to(at::kDouble)
                           : window.to(at::kCPU, at::kDouble).reshape({7, 7});
}

/// Of a single row there is none. pyiqa then adds nothing; numpy takes the features for observations of one
/// variable, and BasicSR adds its variance everywhere.
Tensor covariance_of(const Tensor& features, NiqeVariant variant) {
  const Tensor rows = whole_rows(features);
  if (rows.size(0) == 0) throw Error("NIQE finds no block with texture in this image");
  if (rows.size(0) > 1) return column_covariance(rows);
  return is_pyiqa(variant) ? at::zeros({}, at::kDouble) : rows.var();
}

}  // namespace

NiqeVariant niqe_variant(std::string_view name) {
  const auto found =
      std::find_if(kVariants.begin(), kVariants.end(), [&](const VariantName& v) { return v.name == name; });
  if (found == kVariants.end()) {
    throw UsageError(
        fmt::format("unknown variant of NIQE {} (basicsr, basicsr-gray, pyiqa, pyiqa-ycbcr)", name));
  }
  return found->variant;
}

Tensor niqe_plane(const Tensor& image, const NiqeOptions& options) {
  check_image(image);
  const std::int64_t crop = options.crop_border;
  if (crop < 0 || std::min(image.size(2), image.size(3)) <= 2 * crop)
    throw Error(
        fmt::format("a crop of {} leaves nothing of {}x{} pixels", crop, image.size(3), image.size(2)));
  const Tensor inner = image[0].slice(1, crop, image.size(2) - crop).slice(2, crop, image.size(3) - crop);
  const Tensor plane = one_plane(inner.detach().to(at::kCPU, at::kFloat), options.variant).round_();
  if (!std::isfinite(plane.sum().item<double>())) throw Error("NIQE needs an image of finite values");
  return plane.to(is_pyiqa(options.variant) ? at::kDouble : at::kFloat);
}

Tensor niqe_half_size(const Tensor& plane) {
  const auto axis = [](std::int64_t length) { return resize_axis(length, length / 2, 0.5, {}, at::kFloat); };
  const Tensor values = plane.to(at::kFloat).div(255).unsqueeze(0);
  return resized_as_reference(values, axis(plane.size(0)), axis(plane.size(1)))[0]
      .to(plane.scalar_type())
      .mul_(255);
}

Niqe::Niqe(const StateDict& parameters, const NiqeOptions& options)
    : options_(options),
      window_(window_for(parameters, options.variant)),
      model_(pristine_model(parameters)) {}

Tensor Niqe::features(const Tensor& image) const {
  return features_and_deviation(cropped_to_blocks(niqe_plane(image, options_)), window_).first;
}

double Niqe::operator()(const Tensor& image) const {
  const Tensor rows = features(image), covariance = covariance_of(rows, options_.variant);
  return model_.distances(nan_mean(rows).unsqueeze(0), covariance).item<double>();
}

std::string Niqe::describe() const {
  const auto border =
      options_.crop_border > 0 ? fmt::format("crop border {}, ", options_.crop_border) : std::string();
  return fmt::format(
      "NIQE ({0}): {1}, rounded to integers; {2}whole blocks of {3}x{3}; scales 1 and 1/2 by MATLAB's "
      "bicubic",
      entry(options_.variant).name, entry(options_.variant).plane, border, kNiqeBlock);
}

Tensor pristine_features(const Tensor& image, const NiqeOptions& options, double sharpness) {
  const Tensor plane = cropped_to_blocks(niqe_plane(image, options));
  const auto [features, deviation] = features_and_deviation(plane, gaussian_window(7, kWindowSigma));
  const Tensor means = block_means(deviation);
  return features.index({means > sharpness * means.max()});
}

StateDict fit_niqe(const std::vector<Tensor>& features) {
  const Tensor rows = features.empty() ? at::empty({0, kNiqeFeatures}, at::kDouble) : at::cat(features);
  const Tensor whole = whole_rows(rows);
  if (whole.size(0) < 2) throw Error("a NIQE model needs at least two sharp blocks with texture");
  return {{"mu_pris_param", nan_mean(rows).unsqueeze(0)},
          {"cov_pris_param", column_covariance(whole)},
          {"gaussian_window", gaussian_window(7, kWindowSigma)}};
}

}  // namespace sr
