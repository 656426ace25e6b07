#pragma once
// The autoencoder tile by tile, for pictures that are too large for it. Source: cswry/SeeSR utils/vaehook.py
// VAEHook (@8edecc7), "Tiled VAE" by Li Yi.
//
// All tiles advance together from group norm to group norm, which takes the mean of the tiles' statistics,
// weighted by their areas (margins count twice, and how the tiles' means differ is left out of the variance);
// the middle's attention sees its own tile. So the result is near the whole picture's, and depends on the
// tiles' size.
//
// What tiles hold while they wait for each other grows with the picture: up to 1 kB a pixel with Stable
// Diffusion's decoder (256 float32 maps at full resolution, before the last level's first norm) and encoder,
// that is 17 GB for 4096x4096 and the margins' share besides. `most_held` bounds it: where more would have to
// wait, tiles keep what they held last, and take the steps since then again for each norm. That costs time
// alone, the result is the same to the bit: half the memory takes the decoder 1.4 times as long, a
// quarter 2.8 times, none 9 times; an eighth takes the encoder 1.4 times as long.

#include <functional>
#include <limits>

#include "diffusion/vae_tiles.h"
#include "nets/autoencoder_kl.h"

namespace sr {

struct TiledVaeOptions {
  int64_t encoder_size = 1024;  ///< of its tiles, in pixels; a multiple of the autoencoder's factor; 0: none
  int64_t decoder_size = 224;   ///< of its tiles, in latents; 0: none
  /// Statistics are those of the picture shrunk to a tile's size, and each tile goes through by itself:
  /// quicker, holds nothing, but further from the whole picture's result.
  bool fast = false;
  int64_t most_held = std::numeric_limits<int64_t>::max();  ///< bytes, beside the work on one tile
  /// Told now and then what part of a call has been done since the last time; all are 1 together. May throw.
  std::function<void(double)> advance = {};
};

/// AutoencoderKl::encode tile by tile. `images` are where the network is. No gradients unless a single tile
/// is the whole picture. Throws Interrupted after a signal.
DiagonalGaussian encode_tiled(const AutoencoderKl& vae, const Tensor& images, const TiledVaeOptions& options);

/// AutoencoderKl::decode likewise.
Tensor decode_tiled(const AutoencoderKl& vae, const Tensor& latents, const TiledVaeOptions& options);

}  // namespace sr
