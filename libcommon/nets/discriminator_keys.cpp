#include <fmt/format.h>

#include "core/error.h"
#include "nets/checkpoint_kind.h"
#include "nets/discriminator.h"
#include "nets/fill_module.h"
#include "nets/keys.h"
#include "nets/nlayer_disc.h"

namespace sr {
namespace {

using Kind = DiscriminatorConfig::Kind;
using Norm = DiscriminatorConfig::PatchNorm;

/// `first`: the first convolution, which tells the width.
DiscriminatorConfig sized(Kind kind, const StateDict& weights, const std::string& first) {
  DiscriminatorConfig config;
  config.kind = kind;
  config.width = keys::extent(weights, first, 0);
  config.in_channels = keys::extent(weights, first, 1);
  return config;
}

DiscriminatorConfig vgg_config(Kind kind, const StateDict& weights) {
  auto config = sized(kind, weights, "conv0_0.weight");
  config.image_size = keys::has(weights, "conv5_0.weight") ? 256 : 128;
  return config;
}

/// Of KAIR's PatchGAN, whose instance norms leave no trace.
Norm patch_norm(const StateDict& weights) {
  const bool batch = keys::has(weights, "model.child1.1.running_mean");
  if (keys::has(weights, "model.child1.0.weight_orig")) return batch ? Norm::batch_spectral : Norm::spectral;
  if (batch) return Norm::batch;
  throw Error("these weights don't tell whether the PatchGAN normalises; a checkpoint of its run does");
}

DiscriminatorConfig patchgan_config(const StateDict& weights) {
  const auto norm = patch_norm(weights);
  const bool spectral = norm == Norm::spectral || norm == Norm::batch_spectral;
  auto config =
      sized(Kind::patchgan, weights, fmt::format("model.child0.0.weight{}", spectral ? "_orig" : ""));
  config.layers = keys::count(weights, "model.child") - 2;
  config.norm = norm;
  return config;
}

DiscriminatorConfig nlayer_config(const StateDict& weights) {
  auto config = sized(Kind::nlayer, weights, "model.0.weight");
  config.layers = -2;  // beside these two, of all convolutions
  for (const auto& [key, tensor] : weights) config.layers += tensor.dim() == 4;
  return config;
}

/// `stride`: the image's side / the side of the features at `att1`.
SemanticFusionConfig fusion_config(const StateDict& weights, int64_t stride) {
  auto fusion = detect_fusion(weights, "att1.");
  const auto spread = fusion.channels / keys::extent(weights, "att1.conv_out.weight", 0);
  fusion.stride = stride * keys::square_root(spread);
  return fusion;
}

DiscriminatorConfig sed_config(const StateDict& weights) {
  DiscriminatorConfig config;
  if (keys::has(weights, "conv_first.weight")) {
    config = sized(Kind::sed_p, weights, "conv_first.weight");
  } else if (keys::has(weights, "linear2.weight")) {
    config = vgg_config(Kind::sed_v, weights);
  } else {
    config = sized(Kind::sed_u, weights, "conv0.weight");
  }
  config.fusion = fusion_config(weights, config.kind == Kind::sed_u ? 2 : 4);
  return config;
}

}  // namespace

DiscriminatorConfig discriminator_config(const StateDict& weights) {
  if (keys::has(weights, "att1.proj_in.weight")) return sed_config(weights);
  if (keys::has(weights, "conv9.weight")) return sized(Kind::unet, weights, "conv0.weight");
  if (keys::has(weights, "linear2.weight")) return vgg_config(Kind::vgg, weights);
  if (keys::has_prefix(weights, "model.child0.")) return patchgan_config(weights);
  if (const auto named = nlayer_keys(weights); keys::has(named, "model.0.weight"))
    return nlayer_config(named);
  throw Error(fmt::format("the weights are not a discriminator's but {}", checkpoint_kind(weights)));
}

std::shared_ptr<Discriminator> make_trained_discriminator(const DiscriminatorConfig& config,
                                                          const StateDict& weights) {
  auto network = make_discriminator(config);
  fill_module(*network, config.kind == Kind::nlayer ? nlayer_keys(weights) : weights);
  return network;
}

}  // namespace sr
