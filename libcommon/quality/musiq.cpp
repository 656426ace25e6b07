#include "quality/musiq.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "quality/image_check.h"
#include "quality/opinion.h"

namespace sr {
namespace {

/// Patches that go through the convolutions at once: few enough to stay in the cache.
constexpr int64_t kConvolvedAtOnce = 16;
/// Patches that become tokens at once: enough to be worth the matrix of 25 MB, and no more memory than
/// needed.
constexpr int64_t kEmbeddedAtOnce = 256;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Halves to even, as Python's round.
int64_t scaled(int64_t side, double ratio) {
  return static_cast<int64_t>(std::nearbyint(static_cast<double>(side) * ratio));
}

Tensor resized(const Tensor& image, int64_t longer_side) {
  const int64_t height = image.size(2), width = image.size(3);
  const double ratio = static_cast<double>(longer_side) / static_cast<double>(std::max(height, width));
  const int64_t rows = scaled(height, ratio), columns = scaled(width, ratio);
  if (rows < 1 || columns < 1) {
    throw Error(fmt::format("MUSIQ: an image of {}x{} has nothing left when its longer side is {}", width,
                            height, longer_side));
  }
  return at::upsample_bicubic2d(image, {rows, columns}, /*align_corners=*/false);
}

/// The cells of an axis of the grid that `count` patches in a row fall into, by nearest interpolation as the
/// official code does it (in float32, so that it rounds alike).
Tensor hashed(int64_t grid, int64_t count) {
  const Tensor cells = at::arange(grid, at::kFloat).view({1, 1, grid});
  return at::upsample_nearest1d(cells, {count}).flatten().to(at::kLong);
}

MusiqView view_of(const Tensor& image, const MusiqConfig& config) {
  const int64_t patch = config.patch, rows = ceil_div(image.size(2), patch),
                columns = ceil_div(image.size(3), patch);
  const int64_t below = rows * patch - image.size(2), right = columns * patch - image.size(3);
  const Tensor padded =
      at::constant_pad_nd(image, {right / 2, right - right / 2, below / 2, below - below / 2});
  const Tensor places = hashed(config.grid, rows).unsqueeze(1) * config.grid + hashed(config.grid, columns);
  return {.patches = padded.view({3, rows, patch, columns, patch})
                         .permute({1, 3, 0, 2, 4})
                         .reshape({rows * columns, 3, patch, patch}),
          .positions = places.flatten().to(image.device())};
}

}  // namespace

std::vector<MusiqView> musiq_views(const Tensor& image, const MusiqConfig& config,
                                   const MusiqSampling& sampling) {
  const Tensor centred = (image - 0.5) * 2;
  auto sides = sampling.longer_sides;
  std::sort(sides.begin(), sides.end());
  std::vector<MusiqView> views;
  for (const int64_t side : sides) views.push_back(view_of(resized(centred, side), config));
  if (sampling.original_patches) {
    views.push_back(view_of(centred, config));
    if (*sampling.original_patches >= 0) {
      views.back().patches = views.back().patches.slice(0, 0, *sampling.original_patches);
      views.back().positions = views.back().positions.slice(0, 0, *sampling.original_patches);
    }
  }
  return views;
}

Musiq::Musiq(const MusiqConfig& config, const StateDict& weights, MusiqSampling sampling)
    : sampling_(std::move(sampling)), network_(config, weights) {
  const auto views =
      static_cast<int64_t>(sampling_.longer_sides.size()) + (sampling_.original_patches ? 1 : 0);
  if (views < 1 || views > config.scales)
    throw Error(fmt::format("MUSIQ's weights know {} sizes of an image, not {}", config.scales, views));
}

Tensor Musiq::tokens(const Tensor& patches) const {
  std::vector<Tensor> tokens;
  for (const Tensor& group : patches.split(kEmbeddedAtOnce)) {
    std::vector<Tensor> features;
    for (const Tensor& few : group.split(kConvolvedAtOnce)) features.push_back(network_.stem(few));
    tokens.push_back(network_.embed(at::cat(features)));
  }
  return at::cat(tokens);
}

Tensor Musiq::answer(const std::vector<MusiqView>& views) const {
  std::vector<Tensor> patches, positions, scales;
  for (size_t scale = 0; scale < views.size(); ++scale) {
    patches.push_back(views[scale].patches);
    positions.push_back(views[scale].positions);
    scales.push_back(at::full_like(positions.back(), static_cast<int64_t>(scale)));
  }
  return network_.judge(tokens(at::cat(patches)), at::cat(positions), at::cat(scales));
}

double Musiq::operator()(const Tensor& image) const {
  check_image(image, "MUSIQ");
  return mean_opinion(answer(musiq_views(image, network_.config(), sampling_)));
}

std::string Musiq::describe() const {
  return fmt::format(
      "MUSIQ (pyiqa): RGB in [-1,1]; longer side {}{}, bicubic a=-0.75 without antialiasing; patches of {}, "
      "zeros around; {} layers of {}, {}",
      fmt::join(sampling_.longer_sides, ", "), sampling_.original_patches ? " and the original" : "",
      network_.config().patch, network_.config().layers, network_.config().hidden,
      network_.config().classes > 1 ? "mean of a distribution" : "one score");
}

}  // namespace sr
