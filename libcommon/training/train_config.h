#pragma once
// The settings of the training of a generator, as presets (share/presets/train-*.toml) write them.

#include <optional>
#include <string>
#include <vector>

#include "nets/discriminator.h"
#include "nets/feat_d.h"
#include "nets/semantics.h"
#include "training/gan_loss.h"
#include "training/generator.h"
#include "training/ldl_loss.h"
#include "training/perceptual_loss.h"
#include "training/pixel_loss.h"
#include "training/relativistic_loss.h"
#include "training/run_config.h"

namespace sr {

/// Which losses there are, each with its weight.
struct LossConfig {
  std::optional<PixelLoss> pixel;
  std::optional<PerceptualLossConfig> perceptual;
  std::string perceptual_weights = "vgg19";  ///< a checkpoint, or its name in the catalogue
  std::optional<GanLoss> gan;
  std::optional<RelativisticLoss::Mean> relativistic;  ///< the GAN loss is relative to the other kind's mean
  std::optional<LdlLoss> ldl;
  std::optional<double> feat_d, tg_d, clipiqa;  ///< weights

  /// Something is trained against the generator.
  bool adversarial() const { return gan || feat_d || tg_d; }
  /// Something looks through CLIP.
  bool sees_clip() const { return feat_d || tg_d || clipiqa; }
};

struct TrainConfig : RunConfig {
  GeneratorConfig generator;
  std::string generator_start;  ///< a checkpoint to begin with, or its name; empty: drawn
  std::optional<DiscriminatorConfig> discriminator;
  std::string discriminator_start;
  SemanticsConfig semantics;  ///< of SeD's discriminators and Se-RRDB
  std::string semantics_weights = "CLIP-RN50";
  bool semantics_train_mode = true;  ///< of discriminators: batch statistics, as the official script has it
  std::string clip_weights = "CLIP-RN50";  ///< of feat_d, tg_d and clipiqa
  FeatDConfig feat_d;
  PromptPairsConfig prompts;
  std::string sfd_start;  ///< a checkpoint of both to begin with

  LossConfig loss;
  OptimiserConfig generator_optimiser, discriminator_optimiser;
  double ema = 0.999;         ///< decay of the averaged generator; 0: none
  std::int64_t gan_from = 0;  ///< adversarial losses count from this iteration on

  bool checkpointing = false;  ///< activations are reckoned again in the backward pass

  ValidationConfig validation;
};

/// `table` is the whole of the settings. Throws UsageError that names the line of what is wrong.
TrainConfig read_train_config(const TomlValue& table);

}  // namespace sr
