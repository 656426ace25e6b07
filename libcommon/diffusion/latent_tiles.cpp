#include "diffusion/latent_tiles.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numbers>

#include "core/error.h"

namespace sr {
namespace {

constexpr double kVariance = 0.01;  // of the tile's side squared

/// float64 [side].
Tensor gaussian(int64_t side, double centre) {
  const Tensor distance = (at::arange(side, at::kDouble) - centre) / static_cast<double>(side);
  return (distance.square() / (-2 * kVariance)).exp() / std::sqrt(2 * std::numbers::pi * kVariance);
}

/// The fewest places, `stride` apart but for the last, whose tiles cover `length`.
std::vector<int64_t> offsets(int64_t length, int64_t side, int64_t stride) {
  std::vector<int64_t> places;
  for (int64_t place = 0; place + side < length; place += stride) places.push_back(place);
  places.push_back(length - side);
  return places;
}

void check(const LatentTiling& tiling) {
  if (tiling.size < 0 || tiling.overlap < 0 || (tiling.size > 0 && tiling.overlap >= tiling.size))
    throw UsageError(fmt::format("latent tiles of {} can't overlap by {}", tiling.size, tiling.overlap));
}

}  // namespace

Tensor latent_tile_weights(int64_t side) {
  const auto length = static_cast<double>(side);
  return at::outer(gaussian(side, length / 2), gaussian(side, (length - 1) / 2));
}

LatentTiles::LatentTiles(int64_t height, int64_t width, const LatentTiling& tiling)
    : height_(height), width_(width), tile_height_(height), tile_width_(width), tiles_{{0, 0}} {
  check(tiling);
  if (tiling.size == 0 || height * width <= tiling.size * tiling.size) return;
  const int64_t side = std::min({tiling.size, height, width});
  const int64_t overlap = tiling.overlap < side ? tiling.overlap : side / 2;
  tile_height_ = tile_width_ = side;
  weights_ = latent_tile_weights(side);
  tiles_.clear();
  for (const int64_t x : offsets(width, side, side - overlap)) {
    for (const int64_t y : offsets(height, side, side - overlap)) tiles_.push_back({y, x});
  }
}

Tensor LatentTiles::part(const Tensor& map, const LatentTile& tile, int64_t scale) const {
  return map.narrow(2, tile.y * scale, tile_height_ * scale).narrow(3, tile.x * scale, tile_width_ * scale);
}

Tensor LatentTiles::weight_sum(const Tensor& weights) const {
  Tensor sum = at::zeros({1, 1, height_, width_}, weights.options().dtype(at::kFloat));
  for (const LatentTile& tile : tiles_) part(sum, tile).add_(weights);
  return sum;
}

Tensor LatentTiles::stitched(const std::function<Tensor(size_t)>& predict) const {
  if (!cut()) return predict(0);
  Tensor sum, weights;
  for (size_t i = 0; i < tiles_.size(); ++i) {
    const Tensor prediction = predict(i);
    if (!sum.defined()) {
      weights = weights_.to(prediction.device());
      sum = at::zeros({prediction.size(0), prediction.size(1), height_, width_},
                      prediction.options().dtype(at::kFloat));
    }
    part(sum, tiles_[i]).add_(prediction * weights);
  }
  return sum / weight_sum(weights);
}

}  // namespace sr
