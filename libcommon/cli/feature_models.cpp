#include "cli/feature_models.h"

#include <algorithm>
#include <fmt/format.h>
#include <memory>

#include "core/error.h"
#include "nets/feat_d.h"
#include "nets/keys.h"
#include "quality/sfd_iqa.h"
#include "training/checkpoint.h"
#include "training/train_config.h"

namespace sr {
namespace {

constexpr const char* kFeatDOnly = "feat-d=";
constexpr const char* kClipWeights = "CLIP-RN50";

/// [1,C,H,W] or [1,C] -> [C].
Tensor averaged(const Tensor& features) {
  return (features.dim() == 4 ? features.mean({2, 3}) : features).squeeze(0).contiguous();
}

// --- CLIP ------------------------------------------------------------------------------------------

std::shared_ptr<const ClipFeatures> clip_features(const std::string& weights, WeightsSource& source) {
  return std::make_shared<const ClipFeatures>(*make_clip(source.load(weights)));
}

FeatureModel make_clip_model(const std::string& layer, WeightsSource& source) {
  const auto clip = clip_features(kClipWeights, source);
  if (layer == "embedding") {
    return {"CLIP RN50, embedding", clip->config().output_dim, false,
            [clip](const Tensor& image, const Tensor&) { return averaged((*clip)(image).feature); }};
  }
  const auto level = static_cast<std::size_t>(std::stoi(layer));
  return {fmt::format("CLIP RN50, layer {}", level), clip->config().channels(level - 1), false,
          [clip, level](const Tensor& image, const Tensor&) { return averaged(clip->level(image, level)); }};
}

// --- Feat-D ----------------------------------------------------------------------------------------

FeatureModel make_feat_d_model(const StateDict& weights, const std::string& clip_weights,
                               WeightsSource& source) {
  const auto clip = clip_features(clip_weights, source);
  const auto feat_d = make_sfd(weights)->feat_d;
  feat_d->fold();
  check_feat_d(*feat_d, *clip);
  return {"Feat-D, before its last layer", feat_d->config().width, false,
          [clip, feat_d](const Tensor& image, const Tensor&) {
            return averaged(feat_d->features((*clip)(image, "Feat-D").levels));
          }};
}

// --- discriminators --------------------------------------------------------------------------------

/// A discriminator as its run's settings, or its keys, describe it.
struct Described {
  DiscriminatorConfig config;
  SemanticsConfig semantics = {};
  std::string semantics_weights = kClipWeights;
};

std::string name_of(DiscriminatorConfig::Kind kind) {
  using Kind = DiscriminatorConfig::Kind;
  switch (kind) {
    case Kind::unet: return "U-Net";
    case Kind::vgg: return "VGG-style network";
    case Kind::patchgan: return "PatchGAN";
    case Kind::nlayer: return "pix2pix's PatchGAN";
    case Kind::sed_p: return "P+SeD";
    case Kind::sed_u: return "U+SeD";
    case Kind::sed_v: break;
  }
  return "V+SeD";
}

/// The largest part in the middle of an image that the discriminator takes.
Tensor fitting_part(const Tensor& image, const DiscriminatorConfig& config) {
  using Kind = DiscriminatorConfig::Kind;
  const bool square = config.kind == Kind::vgg || config.kind == Kind::sed_v;
  const bool any = config.kind == Kind::patchgan || config.kind == Kind::nlayer;
  constexpr std::int64_t halvings = 8;
  const std::int64_t step = any ? 1 : config.semantic() ? std::max(halvings, config.fusion.stride) : halvings;
  Tensor part = image;
  for (const std::int64_t axis : {2, 3}) {
    const auto side = image.size(axis);
    const auto kept =
        square ? std::min(side, config.image_size) : std::max(side / step, std::int64_t{1}) * step;
    if (kept < side) part = part.narrow(axis, (side - kept) / 2, kept);
  }
  return part.contiguous();
}

Tensor semantics_of(const SemanticExtractor& extractor, const Tensor& image, const Tensor& hr,
                    const DiscriminatorConfig& config) {
  if (hr.sizes() != image.sizes()) {
    throw Error(fmt::format("its HR picture is {}x{}, not {}x{}", hr.size(3), hr.size(2), image.size(3),
                            image.size(2)));
  }
  return extractor.forward(fitting_part(hr, config));
}

FeatureModel make_discriminator_model(Described described, const StateDict& weights, WeightsSource& source) {
  auto& config = described.config;
  std::shared_ptr<const SemanticExtractor> semantics;
  if (config.semantic()) {
    semantics = make_semantics(described.semantics, source.load(described.semantics_weights));
    config.fusion.channels = semantics->channels();
    config.fusion.stride = semantics->stride();
  }
  const auto network = make_trained_discriminator(config, weights);
  return {fmt::format("{}, before its last layer", name_of(config.kind)), network->feature_channels(),
          config.semantic(), [network, semantics, config](const Tensor& image, const Tensor& hr) {
            const Tensor seen = semantics ? semantics_of(*semantics, image, hr, config) : Tensor();
            return averaged(network->features(fitting_part(image, config), seen));
          }};
}

// --- files -----------------------------------------------------------------------------------------

/// Of the level whose stride the weights are made for.
Described described_by_keys(const StateDict& weights) {
  Described described{discriminator_config(weights)};
  int level = 1;
  while (level < 4 && std::int64_t{2} << level < described.config.fusion.stride) ++level;
  described.semantics.level = level;
  return described;
}

FeatureModel from_run(const fs::path& file, bool feat_d_only, WeightsSource& source) {
  const auto state = read_training_state(file);
  const auto settings = read_train_config(TomlValue::parse(state.settings, printable(file.string())));
  if (settings.discriminator && !feat_d_only) {
    return make_discriminator_model({*settings.discriminator, settings.semantics, settings.semantics_weights},
                                    part_of(state.tensors, "discriminator."), source);
  }
  const auto sfd = part_of(state.tensors, "sfd.");
  if (sfd.empty()) throw Error(fmt::format("the run trains no {}", feat_d_only ? "Feat-D" : "discriminator"));
  return make_feat_d_model(sfd, settings.clip_weights, source);
}

FeatureModel from_file(const std::string& name, bool feat_d_only, WeightsSource& source) {
  fs::path file = name;
  if (is_folder(file)) {
    const auto newest = newest_checkpoint(file);
    if (!newest) throw Error("the folder holds no checkpoint of a run");
    file = *newest;
  }
  const auto& weights = source.load(file.string());
  if (keys::has_prefix(weights, "optimiser.generator."))
    return from_run(source.find(file.string()), feat_d_only, source);
  if (feat_d_only || keys::has_prefix(weights, "feat_d."))
    return make_feat_d_model(weights, kClipWeights, source);
  return make_discriminator_model(described_by_keys(weights), weights, source);
}

}  // namespace

FeatureModel make_feature_model(const std::string& model, const std::string& layer, WeightsSource& source) {
  if (model == "clip")
    return needed_to_start([&] { return make_clip_model(layer.empty() ? "embedding" : layer, source); });
  if (!layer.empty()) throw UsageError("--layer goes with -m clip");
  const bool feat_d_only = model.starts_with(kFeatDOnly);
  const auto name = feat_d_only ? model.substr(std::string_view(kFeatDOnly).size()) : model;
  try {
    auto made = from_file(name, feat_d_only, source);
    made.about += ", " + fs::path(name).filename().string();
    return made;
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    throw UsageError(fmt::format("{}: {}", printable(name), error.what()));
  }
}

}  // namespace sr
