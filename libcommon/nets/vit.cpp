#include "nets/vit.h"

#include "nets/layers.h"

namespace sr {

PackedAttention::PackedAttention(int64_t features, int64_t heads)
    : qkv(register_module("qkv", std::make_shared<Linear>(features, 3 * features))),
      proj(register_module("proj", std::make_shared<Linear>(features, features))),
      heads_(heads) {}

Tensor PackedAttention::forward(const Tensor& tokens) const {
  const auto parts = qkv->forward(tokens).chunk(3, -1);
  return proj->forward(attention(parts[0], parts[1], parts[2], heads_));
}

VitBlock::VitBlock(const VitConfig& config)
    : norm1(register_module("norm1", std::make_shared<LayerNorm>(config.features, config.norm_epsilon))),
      norm2(register_module("norm2", std::make_shared<LayerNorm>(config.features, config.norm_epsilon))),
      attn(register_module("attn", std::make_shared<PackedAttention>(config.features, config.heads))),
      mlp(register_module("mlp", std::make_shared<Mlp>(config.features, config.mlp_features))) {}

Tensor VitBlock::forward(const Tensor& tokens) const {
  const Tensor x = tokens + attn->forward(norm1->forward(tokens));
  return x + mlp->forward(norm2->forward(x));
}

Vit::Vit(const VitConfig& config)
    : cls_token(register_parameter("cls_token", torch::zeros({1, 1, config.features}))) {
  const int64_t patches = config.patches_per_side() * config.patches_per_side();
  pos_embed = register_parameter("pos_embed", torch::zeros({1, 1 + patches, config.features}));
  projection = std::make_shared<Conv2d>(
      3, config.features,
      ConvOptions{.kernel = config.patch, .stride = config.patch, .padding = 0, .groups = 1});
  register_container(*this, "patch_embed")->register_module("proj", projection);
  for (int64_t i = 0; i < config.depth; ++i) blocks.push_back(std::make_shared<VitBlock>(config));
  register_list(*this, "blocks", blocks);
}

Tensor Vit::embed(const Tensor& images) const {
  const Tensor patches = projection->forward(images).flatten(2).transpose(1, 2);
  return at::cat({cls_token.expand({images.size(0), -1, -1}), patches}, 1) + pos_embed;
}

std::vector<Tensor> Vit::forward(const Tensor& images, size_t first) const {
  std::vector<Tensor> taps;
  Tensor x = embed(images);
  for (size_t i = 0; i < blocks.size(); ++i) {
    x = blocks[i]->forward(x);
    if (i >= first) taps.push_back(x);
  }
  return taps;
}

}  // namespace sr
