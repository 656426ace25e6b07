#pragma once
// What SeeSR costs: multiply-adds and memory, by the size of what it works on.

#include <functional>

#include "diffusion/seesr_folders.h"

namespace sr {

/// Multiply-adds of a network that convolves and attends: a + b n + c n^2 of n places.
struct AreaCost {
  double fixed = 0, linear = 0, square = 0;

  double at(int64_t places) const {
    const auto n = static_cast<double>(places);
    return fixed + n * (linear + n * square);
  }
};

/// What `count(height, width)`, asked of three small sizes, tells of all.
AreaCost area_cost(const std::function<int64_t(int64_t height, int64_t width)>& count);

struct SeesrCosts {
  AreaCost prediction;      ///< of the ControlNet and the U-Net for one prompt, by latents
  AreaCost encode, decode;  ///< of the autoencoder, by latents
};

/// By counting what the networks do of three small sizes, which takes some seconds at full size. Exact where
/// sides of latents are multiples of 8.
SeesrCosts seesr_costs(const SeesrOutlines& outlines);

/// About how many bytes are needed beside the picture: weights of `value_bytes` a number, and either the
/// U-Net's file while it is read, or what the networks hold of a tile of latents and of what the autoencoder
/// does at once.
double seesr_memory(const SeesrOutlines& outlines, int64_t value_bytes, int64_t prompts, int64_t tile_latents,
                    int64_t vae_latents);

}  // namespace sr
