#pragma once
// Latents too large for the U-Net are predicted for in overlapping square tiles, which Gaussian weights mix.
// Source: cswry/SeeSR pipelines/pipeline_seesr.py StableDiffusionControlNetPipeline.__call__,
// _gaussian_weights (@8edecc7).

#include <functional>
#include <vector>

#include "core/torch.h"

namespace sr {

/// In latents, which are 8 pixels wide.
struct LatentTiling {
  int64_t size = 96;  ///< of a tile; latents of no more than size x size are not cut. 0: none are
  int64_t overlap = 4;
};

/// A tile's upper left corner.
struct LatentTile {
  int64_t y, x;

  friend bool operator==(const LatentTile&, const LatentTile&) = default;
};

/// Weights of a tile's predictions, float64 [side,side], largest in the middle: products of Gaussians of
/// deviation side / 10 about (side - 1) / 2 along x and, as in the original, side / 2 along y.
Tensor latent_tile_weights(int64_t side);

/// How latents of one size are cut.
class LatentTiles {
 public:
  /// Throws UsageError unless the tiles' size is at least 1 (or 0) and more than the overlap, which isn't
  /// negative. Tiles are squares whose side is the latents' shorter one where that is less; in such thin
  /// pictures the overlap may reach the side, where the original never ends: it is half the side then.
  LatentTiles(int64_t height, int64_t width, const LatentTiling& tiling);

  /// False where one tile is everything; predictions for it need no mixing.
  bool cut() const { return weights_.defined(); }
  /// Column by column.
  const std::vector<LatentTile>& tiles() const { return tiles_; }
  int64_t tile_height() const { return tile_height_; }
  int64_t tile_width() const { return tile_width_; }
  /// A tile of `map` [N,C,height x scale,width x scale], a view: of latents, or of their picture.
  Tensor part(const Tensor& map, const LatentTile& tile, int64_t scale = 1) const;
  /// The mixed predictions [N,C,height,width] of `predict`, which is asked tile by tile, in order, and
  /// answers [N,C,tile_height,tile_width]. Products with weights are float64, the two sums float32.
  Tensor stitched(const std::function<Tensor(size_t tile)>& predict) const;

 private:
  Tensor weight_sum(const Tensor& weights) const;

  int64_t height_, width_, tile_height_, tile_width_;
  std::vector<LatentTile> tiles_;
  Tensor weights_;  ///< undefined: not cut
};

}  // namespace sr
