#pragma once
// The networks that SeeSR's training begins with, and the folders that it ends with. Source: cswry/SeeSR
// train_seesr.py (@8edecc7), huggingface/diffusers src/diffusers/models/controlnet.py
// ControlNetModel.from_unet (v0.21.0).

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/autocast.h"
#include "diffusion/seesr_folders.h"
#include "nets/autoencoder_kl.h"
#include "nets/controlnet.h"
#include "nets/ram.h"
#include "tagging/tags.h"
#include "training/seesr_config.h"
#include "training/training_weights.h"

namespace sr {

/// Files, and what reckons by them: all that decides about the bits of what networks say.
struct SeesrOrigins {
  std::string vae, text, ram;
};

struct SeesrParts {
  std::shared_ptr<ConditionedUnet> unet;   ///< float32; its `image_attentions` are to learn
  std::shared_ptr<ControlNet> controlnet;  ///< float32; all of it is to learn
  std::shared_ptr<const AutoencoderKl> vae;
  DdpmScheduler scheduler;
  /// Captions -> [N,77,features], float32.
  std::function<Tensor(const std::vector<std::string>&)> encode;
  std::shared_ptr<Ram> ram;     ///< with DAPE's LoRA beside it, unmerged, unless there is none
  std::optional<TagList> tags;  ///< where RAM is to name what it sees
  SeesrOrigins origins = {};    ///< of what doesn't learn
};

/// From folders and files; `image_attentions` and the ControlNet begin as the official script has them,
/// unless there is a start. The autoencoder, the text encoder and RAM are in the arithmetic's type, on its
/// device. Throws Error, or UsageError, that names the file which is missing or wrong.
SeesrParts load_seesr_parts(const SeesrConfig& config, const Arithmetic& arithmetic,
                            const TrainingWeights& weights);

/// Layers whose weights don't learn get their weights in `type`; none are changed for float32.
void set_frozen_precision(torch::nn::Module& network, at::ScalarType type);

/// The networks that the configurations describe, without weights: zero, and in no memory until they are
/// used. Throws Error that names the file which is missing or wrong, or the part which gives what the next
/// doesn't take; UsageError where the crop is none of the autoencoder's.
SeesrOutlines outline_seesr_training(const SeesrConfig& config);

/// Writes `folder`/unet and `folder`/controlnet as diffusers reads them, float32: what the training began
/// with under what it `trained` ("unet.NAME", "controlnet.NAME"). Throws Error.
void write_seesr(const fs::path& folder, const SeesrConfig& config, const StateDict& trained);

}  // namespace sr
