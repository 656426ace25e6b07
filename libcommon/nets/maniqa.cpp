#include "nets/maniqa.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/feature_maps.h"
#include "nets/fill_module.h"
#include "nets/keys.h"
#include "nets/layers.h"

namespace sr {
namespace {

constexpr size_t kFirstTap = 6, kTappedBlocks = 4;
constexpr int64_t kVitHeadFeatures = 64;

VitConfig vit_config(const StateDict& weights) {
  VitConfig vit;
  vit.features = keys::extent(weights, "vit.pos_embed", 2);
  vit.patch = keys::extent(weights, "vit.patch_embed.proj.weight", 2);
  vit.image_size = vit.patch * keys::square_root(keys::extent(weights, "vit.pos_embed", 1) - 1);
  vit.depth = keys::count(weights, "vit.blocks.");
  vit.heads = std::max<int64_t>(1, vit.features / kVitHeadFeatures);
  vit.mlp_features = keys::extent(weights, "vit.blocks.0.mlp.fc1.weight", 0);
  return vit;
}

/// As many blocks of the ViT as are listened to.
VitConfig shortened(VitConfig vit) {
  vit.depth = static_cast<int64_t>(kFirstTap + kTappedBlocks);
  return vit;
}

/// Layer `index` of a Swin group.
SwinLayerConfig layer_config(const ManiqaConfig& config, int64_t features, size_t group, int64_t index) {
  return {.features = features,
          .heads = config.heads[group],
          .window = std::min(config.window, config.vit.patches_per_side()),
          .mlp_features = config.mlp_features,
          .shifted = index % 2 == 1};
}

/// Keys of checkpoints that say nothing here: the rest of the ViT, what Swin layers reckon by themselves, and
/// a convolution that the official code never calls.
bool spare(const std::string& key) {
  for (const char* prefix : {"vit.norm.", "vit.head.", "vit.fc_norm.", "swintransformer1.downsample.",
                             "swintransformer2.downsample."}) {
    if (key.starts_with(prefix)) return true;
  }
  if (key.starts_with("vit.blocks."))
    return std::strtoul(key.c_str() + std::string_view("vit.blocks.").size(), nullptr, 10) >=
           kFirstTap + kTappedBlocks;
  return computed_of_windows(key);
}

/// Two linear layers of a head, `name.0` and `name.3` (ReLU and dropout take an index too).
std::vector<std::shared_ptr<Linear>> register_head(torch::nn::Module& parent, const std::string& name,
                                                   int64_t features) {
  const auto list = register_container(parent, name);
  return {list->register_module("0", std::make_shared<Linear>(features, features)),
          list->register_module("3", std::make_shared<Linear>(features, 1))};
}

/// [N,patches,C] -> [N,patches], not yet activated.
Tensor run_head(const std::vector<std::shared_ptr<Linear>>& head, const Tensor& tokens) {
  return head[1]->forward(relu_in_place(head[0]->forward(tokens))).squeeze(-1);
}

void check(const ManiqaConfig& config) {
  const int64_t side = config.vit.patches_per_side();
  if (config.vit.depth < static_cast<int64_t>(kFirstTap + kTappedBlocks))
    throw Error(fmt::format("MANIQA listens to ViT blocks 6 to 9, and there are {}", config.vit.depth));
  if (config.window < 1 || side < 1 || side % std::min(config.window, side) != 0)
    throw Error(fmt::format("MANIQA cannot divide {} patches into windows of {}", side, config.window));
  if (config.depths.size() != config.heads.size())
    throw Error("MANIQA needs as many numbers of heads as it has Swin groups");
}

}  // namespace

ManiqaConfig maniqa_config(const StateDict& weights) {
  const std::string swin = "swintransformer1.layers.";
  ManiqaConfig config;
  config.vit = vit_config(weights);
  config.attention_blocks = keys::count(weights, "tablock1.");
  config.depths.clear();
  config.heads.clear();
  for (const int64_t group : keys::children(weights, swin)) {
    const std::string blocks = fmt::format("{}{}.blocks.", swin, group);
    config.depths.push_back(keys::count(weights, blocks));
    config.heads.push_back(keys::extent(weights, blocks + "0.attn.relative_position_bias_table", 1));
  }
  const int64_t offsets =
      keys::square_root(keys::extent(weights, swin + "0.blocks.0.attn.relative_position_bias_table", 0));
  config.window = (offsets + 1) / 2;
  config.mlp_features = keys::extent(weights, swin + "0.blocks.0.mlp.fc1.weight", 0);
  return config;
}

TokenAttention::TokenAttention(int64_t patches)
    : c_q_(register_module("c_q", std::make_shared<Linear>(patches, patches))),
      c_k_(register_module("c_k", std::make_shared<Linear>(patches, patches))),
      c_v_(register_module("c_v", std::make_shared<Linear>(patches, patches))) {}

Tensor TokenAttention::forward(const Tensor& input) const {
  const Tensor mixed =
      attention(c_q_->forward(input), c_k_->forward(input), c_v_->forward(input), /*heads=*/1);
  // Transposed and then read as if it were not: an oversight of the official code that its weights learnt to
  // live with.
  return mixed.transpose(1, 2).reshape(input.sizes()) + input;
}

ManiqaSwinGroup::ManiqaSwinGroup(const ManiqaConfig& config, int64_t features, size_t index) {
  for (int64_t i = 0; i < config.depths[index]; ++i)
    blocks_.push_back(std::make_shared<SwinLayer>(layer_config(config, features, index, i)));
  register_list(*this, "blocks", blocks_);
  conv_ = register_module("conv", std::make_shared<Conv2d>(features, features));
}

Tensor ManiqaSwinGroup::forward(const Tensor& input, const WindowPlan& plan) const {
  Tensor x = input;
  for (const auto& block : blocks_) x = block->forward(x, plan);
  return relu_in_place(convolve(*conv_, x.permute({0, 3, 1, 2}))).permute({0, 2, 3, 1});
}

ManiqaStage::ManiqaStage(torch::nn::Module& parent, int number, const ManiqaConfig& config, int64_t in,
                         int64_t out)
    : scale_(config.scale) {
  const int64_t side = config.vit.patches_per_side();
  for (int64_t i = 0; i < config.attention_blocks; ++i)
    attention_.push_back(std::make_shared<TokenAttention>(side * side));
  register_list(parent, fmt::format("tablock{}", number), attention_);
  conv_ =
      parent.register_module(fmt::format("conv{}", number), std::make_shared<Conv2d>(in, out, pointwise()));
  const std::string name = fmt::format("swintransformer{}", number);
  const auto swin = register_container(parent, name);
  for (size_t i = 0; i < config.depths.size(); ++i)
    groups_.push_back(std::make_shared<ManiqaSwinGroup>(config, out, i));
  register_list(*swin, "layers", groups_);
}

Tensor ManiqaStage::attend(const Tensor& input) const {
  Tensor x = input;
  for (const auto& block : attention_) x = block->forward(x);
  return x;
}

Tensor ManiqaStage::refine(const Tensor& attended, const WindowPlan& plan) const {
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(attended.size(2)))));
  Tensor x =
      at::linear(attended.transpose(1, 2), conv_->weight.flatten(1), conv_->bias).unflatten(1, {side, side});
  for (const auto& group : groups_) x = x + group->forward(x, plan) * scale_;
  return x;
}

ManiqaNet::ManiqaNet(const ManiqaConfig& config, const StateDict& weights)
    : torch::nn::Module("MANIQA"), config_(config) {
  check(config);
  const int64_t features = config.vit.features, side = config.vit.patches_per_side();
  vit_ = register_module("vit", std::make_shared<Vit>(shortened(config.vit)));
  stages_ = {ManiqaStage(*this, 1, config, kTappedBlocks * features, features),
             ManiqaStage(*this, 2, config, features, features / 2)};
  score_ = register_head(*this, "fc_score", features / 2);
  weight_ = register_head(*this, "fc_weight", features / 2);
  windows_ = plan_square(side, config.window);
  fill_module(*this, weights, spare);
  put_channels_last(*this);
}

std::vector<Tensor> ManiqaNet::taps(const Tensor& crops) const { return vit_->forward(crops, kFirstTap); }

Tensor ManiqaNet::stacked(const std::vector<Tensor>& taps) {
  std::vector<Tensor> planes;
  for (const Tensor& tokens : taps) planes.push_back(tokens.slice(1, 1).transpose(1, 2));
  return at::cat(planes, 1).contiguous();
}

ManiqaNet::Judgement ManiqaNet::rate(const Tensor& refined) const {
  const Tensor tokens = refined.flatten(1, 2);
  return {.score = run_head(score_, tokens).relu(), .weight = run_head(weight_, tokens).sigmoid()};
}

ManiqaNet::Judgement ManiqaNet::forward(const Tensor& crops) const {
  Tensor x = stacked(taps(crops));
  x = stages_[0].refine(stages_[0].attend(x), windows_);
  x = x.flatten(1, 2).transpose(1, 2).contiguous();
  return rate(stages_[1].refine(stages_[1].attend(x), windows_));
}

}  // namespace sr
