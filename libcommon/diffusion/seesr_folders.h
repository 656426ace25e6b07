#pragma once
// SeeSR's networks from the folders that they are downloaded as: Stable Diffusion 2 base (or sd-turbo) in
// diffusers' layout, and SeeSR's own `unet` and `controlnet`. Source: cswry/SeeSR test_seesr.py,
// test_seesr_turbo.py (@8edecc7).

#include <memory>

#include "diffusion/ddpm_scheduler.h"
#include "diffusion/model_folder.h"
#include "diffusion/seesr_networks.h"
#include "nets/sd_text_encoder.h"
#include "nets/sd_tokenizer.h"

namespace sr {

struct SeesrFolders {
  fs::path base;   ///< Stable Diffusion: tokenizer, text_encoder, vae, scheduler
  fs::path seesr;  ///< SeeSR: unet, controlnet
  /// SeeSR-turbo: the U-Net is `base`'s (sd-turbo's), but for SeeSR's `image_attentions`.
  bool turbo = false;
};

/// Where a network runs, and the type of its convolutions and products.
struct Placement {
  at::Device device = at::kCPU;
  at::ScalarType type = at::kFloat;
};

/// What makes numbers of prompts.
struct SdText {
  SdTokenizer tokenizer;
  std::shared_ptr<const SdTextEncoder> encoder;

  /// [N,77,features], float32, where the encoder is.
  Tensor encode(const std::vector<std::string>& prompts) const;
};

// Each throws Error that names the file which is missing or wrong.
/// Reads the configurations of all parts, as outline_seesr() does, and looks for their weights, which it
/// doesn't read. The features of the image tokens that the U-Net looks at.
int64_t check_seesr(const SeesrFolders& folders);
SdText load_text_encoder(const SeesrFolders& folders, const Placement& placement);
SeesrModel load_seesr(const SeesrFolders& folders, const Placement& placement);
std::shared_ptr<const AutoencoderKl> load_vae(const SeesrFolders& folders, const Placement& placement);
DdpmScheduler load_scheduler(const SeesrFolders& folders);

/// The networks that the configurations describe, without weights: zero, and in no memory until they are
/// used.
struct SeesrOutlines {
  std::shared_ptr<SdTextEncoder> text_encoder;
  std::shared_ptr<AutoencoderKl> vae;
  std::shared_ptr<ConditionedUnet> unet;
  std::shared_ptr<ControlNet> controlnet;
};
/// Throws Error, too, where one gives what the next doesn't take.
SeesrOutlines outline_seesr(const SeesrFolders& folders);
/// Throws Error that names the part which gives what the next doesn't take.
void check_together(const SeesrOutlines& outlines);

}  // namespace sr
