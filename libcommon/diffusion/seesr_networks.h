#pragma once
// SeeSR's networks, as its sampler asks them.

#include <memory>

#include "diffusion/seesr_sampler.h"
#include "diffusion/tiled_vae.h"
#include "nets/controlnet.h"

namespace sr {

struct SeesrModel {
  std::shared_ptr<const ConditionedUnet> unet;
  std::shared_ptr<const ControlNet> controlnet;
  std::shared_ptr<const AutoencoderKl> vae;
};

/// What the U-Net and the ControlNet look at beside the picture, where the networks are.
struct SeesrConditions {
  /// The text encoder's [N,77,features]: of the negative prompt and the prompt, or of the prompt alone.
  Tensor text;
  Tensor image_tokens;  ///< RAM's [1,S,features], for all prompts
  double strength = 1;  ///< of the ControlNet
};

/// The model stays in use as long as the answer does. Keys and values of the conditions are made here.
SeesrNetworks seesr_networks(const SeesrModel& model, const SeesrConditions& conditions,
                             const TiledVaeOptions& tiling);

}  // namespace sr
