#include "nets/clip.h"

#include <fmt/format.h>

#include "core/error.h"
#include "nets/fill_module.h"
#include "nets/keys.h"

namespace sr {
namespace {

constexpr const char* kVisualPrefix = "visual.";

std::shared_ptr<ClipVisual> make_visual(const ClipConfig& config) {
  if (const auto* resnet = std::get_if<ClipResNetConfig>(&config.visual))
    return std::make_shared<ModifiedResNet>(*resnet);
  return std::make_shared<VisionTransformer>(std::get<ClipVitConfig>(config.visual));
}

}  // namespace

Clip::Clip(const ClipConfig& config)
    : ClipText(config.text),
      visual(register_module("visual", make_visual(config))),
      logit_scale(register_parameter("logit_scale", torch::zeros({}))) {}

std::pair<Tensor, Tensor> Clip::logits(const Tensor& images, const Tensor& tokens) const {
  const Tensor by_image =
      logit_scale.exp() * at::matmul(unit_vectors(visual->forward(images)), unit_vectors(encode(tokens)).t());
  return {by_image, by_image.t()};
}

StateDict clip_weights(const StateDict& checkpoint) {
  const StateDict inner = keys::below(checkpoint, "clip_model.");
  StateDict weights = inner.empty() ? checkpoint : inner;
  for (const char* number : {"input_resolution", "context_length", "vocab_size"}) weights.erase(number);
  std::erase_if(weights, [](const auto& entry) { return entry.first.ends_with("num_batches_tracked"); });
  return weights;
}

// --- what the keys tell ----------------------------------------------------------------------------

namespace {

int64_t heads_of(int64_t width, int64_t depth) { return std::max<int64_t>(1, width / depth); }

}  // namespace

ClipResNetConfig clip_resnet_config(const StateDict& weights) {
  ClipResNetConfig config;
  config.layers.clear();
  for (int level = 1; level <= 4; ++level) {
    keys::extent(weights, fmt::format("layer{}.0.conv1.weight", level), 0);  // throws where it is missing
    config.layers.push_back(keys::count(weights, fmt::format("layer{}.", level)));
  }
  config.width = keys::extent(weights, "layer1.0.conv1.weight", 0);
  config.output_dim = keys::extent(weights, "attnpool.c_proj.weight", 0);
  config.heads = heads_of(config.width * 32, 64);
  const int64_t places = keys::extent(weights, "attnpool.positional_embedding", 0) - 1;
  config.input_resolution = 32 * keys::square_root(places);
  return config;
}

ClipVitConfig clip_vit_config(const StateDict& weights) {
  ClipVitConfig config;
  config.width = keys::extent(weights, "conv1.weight", 0);
  config.patch_size = keys::extent(weights, "conv1.weight", 2);
  config.layers = keys::count(weights, "transformer.resblocks.");
  config.heads = heads_of(config.width, 64);
  config.output_dim = keys::extent(weights, "proj", 1);
  const int64_t patches = keys::extent(weights, "positional_embedding", 0) - 1;
  config.input_resolution = config.patch_size * keys::square_root(patches);
  return config;
}

ClipTextConfig clip_text_config(const StateDict& weights) {
  ClipTextConfig config;
  config.embed_dim = keys::extent(weights, "text_projection", 1);
  config.context_length = keys::extent(weights, "positional_embedding", 0);
  config.vocab_size = keys::extent(weights, "token_embedding.weight", 0);
  config.width = keys::extent(weights, "token_embedding.weight", 1);
  config.heads = heads_of(config.width, 64);
  config.layers = keys::count(weights, "transformer.resblocks.");
  return config;
}

ClipConfig clip_config(const StateDict& weights) {
  const StateDict visual = keys::below(weights, kVisualPrefix);
  if (visual.empty()) throw Error("the weights are not CLIP's: no key begins with visual.");
  if (keys::has(visual, "proj")) return {clip_vit_config(visual), clip_text_config(weights)};
  return {clip_resnet_config(visual), clip_text_config(weights)};
}

std::shared_ptr<Clip> make_clip(const StateDict& checkpoint) {
  const StateDict weights = clip_weights(checkpoint);
  auto clip = std::make_shared<Clip>(clip_config(weights));
  fill_module(*clip, weights);
  return clip;
}

// --- comparing -------------------------------------------------------------------------------------

Tensor unit_vectors(const Tensor& features) { return features / features.norm(2, {-1}, /*keepdim=*/true); }

Tensor clip_logits(const Tensor& images, const Tensor& texts, double scale) {
  return scale * at::matmul(unit_vectors(images), unit_vectors(texts).t());
}

Tensor pair_scores(const Tensor& images, const Tensor& texts, double scale) {
  const Tensor logits = clip_logits(images, texts, scale).unflatten(1, {-1, 2});
  return logits.softmax(-1).select(-1, 0).mean(-1);
}

}  // namespace sr
