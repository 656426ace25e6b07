#pragma once
// What SeeSR's training needs of memory, part by part.

#include <string>
#include <vector>

#include "core/autocast.h"
#include "core/held_memory.h"
#include "diffusion/seesr_costs.h"
#include "nets/ram.h"
#include "training/seesr_config.h"

namespace sr {

struct SeesrMemoryPart {
  std::string name;
  double numbers = 0;          ///< of parameters; 0: no parameters
  double bytes = 0;            ///< where all activations are kept
  double checkpointing_bytes;  ///< where layers are reckoned again
};

/// Bytes that autograd keeps of one sample's forward pass, by its latents. Measured at three small sizes,
/// which takes some seconds at full size. The networks learn, and are reckoned again, as they are set to.
AreaCost seesr_activations(const ConditionedUnet& unet, const ControlNet& controlnet,
                           const Arithmetic& arithmetic);

/// The same at the latents' sides, measured.
std::int64_t kept_activations(const ConditionedUnet& unet, const ControlNet& controlnet,
                              const Arithmetic& arithmetic, std::int64_t height, std::int64_t width);

/// What the largest layer keeps, and holds at most in its backward pass, measured: the first one of the
/// widest map on the way up.
HeldMemory largest_layer(const ConditionedUnetConfig& config, const Arithmetic& arithmetic,
                         std::int64_t height, std::int64_t width);

/// Bytes that the autoencoder holds at most while it encodes a picture of side x side latents. Measured at
/// half the side: it is the maps of the picture's own size that count.
double encoder_memory(const AutoencoderKl& vae, std::int64_t side);

/// Of a batch of one picture, by the folders' configurations, which is all that is read. The last part is
/// the sum. What the autoencoder held ("vae at work") counts too, though it is done before the networks that
/// learn begin: memory that was freed is kept (core/memory.h), and was measured to be taken beside theirs.
/// Throws Error that names the file which is missing or wrong.
std::vector<SeesrMemoryPart> seesr_memory_plan(const SeesrConfig& config, const Arithmetic& arithmetic,
                                               const RamConfig& ram);

}  // namespace sr
