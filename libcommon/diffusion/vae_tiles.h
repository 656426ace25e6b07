#pragma once
// How pictures are cut for the autoencoder's encoder, and latents for its decoder. Source: cswry/SeeSR
// utils/vaehook.py VAEHook.split_tiles, get_best_tile_size, crop_valid_region (@8edecc7).

#include <vector>

#include "core/torch.h"

namespace sr {

/// Rows [top,bottom) and columns [left,right).
struct Box {
  int64_t top, bottom, left, right;

  int64_t height() const { return bottom - top; }
  int64_t width() const { return right - left; }
  /// That part of [N,C,H,W], a view.
  Tensor of(const Tensor& map) const;

  bool operator==(const Box&) const = default;
};

struct VaeTile {
  Box input;   ///< what the network is shown
  Box output;  ///< what of its answer is used, in places of the whole answer; these neither overlap nor gap

  bool operator==(const VaeTile&) const = default;
};

/// How the input of one half of an autoencoder is cut. Lengths are in that half's input: pixels or latents.
struct VaeTiling {
  int64_t size = 0;                   ///< of a tile without what is seen around it; 0: not cut
  int64_t margin = 0;                 ///< seen on each side
  int64_t enlarges = 1, shrinks = 1;  ///< output / input, one of the two

  /// Of a side or a place of the input, in the output.
  int64_t scaled(int64_t length) const { return length * enlarges / shrinks; }
  /// Where the tile's output lies in what its input becomes.
  Box within(const VaeTile& tile) const;
};

/// Throws UsageError unless `size` is a multiple of the autoencoder's `factor` (which is 1 to 32).
VaeTiling encoder_tiling(int64_t size, int64_t factor);
/// Throws UsageError where `size` is negative.
VaeTiling decoder_tiling(int64_t size, int64_t factor);

/// Row by row; a single tile is the whole. Nothing is cut where neither side is longer than a tile and its
/// two margins, and else into the fewest and about equal tiles, whose sides are made rounder (multiples of
/// 32, 16, 8, 4 or 2) where `size` lets them.
std::vector<VaeTile> vae_tiles(int64_t height, int64_t width, const VaeTiling& tiling);

}  // namespace sr
