#include "nets/checkpoint_kind.h"

#include <array>
#include <fmt/format.h>
#include <optional>

#include "core/error.h"
#include "nets/keys.h"
#include "nets/network.h"
#include "nets/ram.h"

namespace sr {
namespace {

/// A kind, and two keys (or beginnings of keys) that nothing else has together.
struct Mark {
  const char* kind;
  const char* key;
  const char* other;
};

// What contains others comes first.
constexpr std::array<Mark, 12> kMarks{{
    {"RAM++'s", "reweight_scale", "visual_encoder."},
    {"Tag2Text's", "label_embed.weight", "visual_encoder."},
    {"CLIP's", "visual.", "token_embedding.weight"},
    {"CLIP's", "clip_model.visual.", "clip_model.token_embedding.weight"},
    {"those of a text encoder of CLIP", "text_model.embeddings.token_embedding.weight", ""},
    {"those of Stable Diffusion in a single file", "model.diffusion_model.", "first_stage_model."},
    {"those of a ControlNet", "controlnet_cond_embedding.", "down_blocks."},
    {"those of SeeSR's UNet", "mid_block.image_attentions.", "up_blocks."},
    {"those of a diffusion UNet", "down_blocks.", "time_embedding."},
    {"those of Stable Diffusion's autoencoder", "encoder.conv_in.weight", "quant_conv.weight"},
    {"those of a Swin classifier", "patch_embed.proj.weight", "layers.0.blocks.0.attn.qkv.weight"},
    {"those of a convolutional classifier", "features.0.weight", "classifier."},
}};

std::optional<std::string> upscaler(const StateDict& weights) {
  try {
    if (const auto family = network_family(weights)) return fmt::format("those of an upscaler ({})", *family);
  } catch (const Error&) {  // nearly one, and nothing that could run
  }
  return std::nullopt;
}

std::string marked_kind(const StateDict& weights) {
  for (const Mark& mark : kMarks) {
    if (keys::has_prefix(weights, mark.key) && keys::has_prefix(weights, mark.other)) return mark.kind;
  }
  return "of no kind known here";
}

/// As `detect_ram`, of weights that may lack what tells the sizes.
bool is_ram(const StateDict& weights) {
  try {
    return detect_ram(ram_weights(weights)).has_value();
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

std::string checkpoint_kind(const StateDict& weights) {
  if (is_dape(weights)) return "DAPE's, LoRA to be laid over RAM";
  if (is_ram(weights)) return "RAM's";
  if (const auto family = upscaler(weights)) return *family;
  return marked_kind(weights);
}

}  // namespace sr
