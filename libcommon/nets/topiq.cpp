#include "nets/topiq.h"

#include <fmt/format.h>

#include "core/error.h"
#include "nets/feature_maps.h"
#include "nets/fill_module.h"
#include "nets/keys.h"
#include "nets/layers.h"

namespace sr {
namespace {

constexpr int64_t kGateFeatures = 64, kHeadFeatures = 64;
constexpr int64_t kPositionCells = 32;
constexpr double kLayerEpsilon = 1e-5, kDistanceEpsilon = 1e-12;

/// `count` layers under `name.layers.N`.
std::vector<std::shared_ptr<TopiqLayer>> register_layers(torch::nn::Module& parent, const std::string& name,
                                                         const TopiqConfig& config, bool looks_elsewhere) {
  std::vector<std::shared_ptr<TopiqLayer>> layers;
  for (int64_t i = 0; i < config.layers; ++i)
    layers.push_back(std::make_shared<TopiqLayer>(config, looks_elsewhere));
  register_list(*register_container(parent, name), "layers", layers);
  return layers;
}

/// Keys that say nothing here: attention layers that the official decoder has and never calls, and what
/// ResNet leaves aside.
bool spare(const std::string& key) {
  const bool uncalled = key.starts_with("attn_blks.") && key.find(".self_attn.") != std::string::npos;
  return uncalled || spare_in_resnet(key);
}

/// Averages down to `size` where the feature is larger both ways.
Tensor shrunk(const Tensor& feature, at::IntArrayRef size) {
  const bool larger = feature.size(2) > size[0] && feature.size(3) > size[1];
  return larger ? at::adaptive_avg_pool2d(feature, size) : feature;
}

}  // namespace

TopiqConfig topiq_config(const StateDict& weights) {
  TopiqConfig config;
  config.features = 2 * keys::extent(weights, "h_emb", 1);
  config.reference = !keys::has(weights, "weight_pool.0.splitconv.weight");
  config.hidden = keys::extent(weights, "attn_pool.linear1.weight", 0);
  config.heads = std::max<int64_t>(1, config.features / kHeadFeatures);
  config.layers = keys::count(weights, "sa_attn_blks.0.layers.");
  config.classes = keys::extent(weights, "score_linear.6.weight", 0);
  return config;
}

// --- Attention -------------------------------------------------------------------------------------

TopiqLayer::TopiqLayer(const TopiqConfig& config, bool looks_elsewhere) {
  const auto norm = [&](const char* name) {
    return register_module(name, std::make_shared<LayerNorm>(config.features, kLayerEpsilon));
  };
  attention_ = register_module(looks_elsewhere ? "multihead_attn" : "self_attn",
                               std::make_shared<MultiheadAttention>(config.features, config.heads));
  norm1_ = norm("norm1");
  norm2_ = norm("norm2");
  norm3_ = looks_elsewhere ? norm("norm3") : norm2_;
  linear1_ = register_module("linear1", std::make_shared<Linear>(config.features, config.hidden));
  linear2_ = register_module("linear2", std::make_shared<Linear>(config.hidden, config.features));
}

Tensor TopiqLayer::feed_forward(const Tensor& tokens) const {
  return tokens + linear2_->forward(at::gelu(linear1_->forward(norm3_->forward(tokens))));
}

Tensor TopiqLayer::forward(const Tensor& tokens) const {
  return feed_forward(tokens + attention_->forward(norm1_->forward(tokens)));
}

Tensor TopiqLayer::forward(const Tensor& tokens, const Tensor& memory) const {
  return feed_forward(tokens + attention_->forward(norm1_->forward(tokens), norm2_->forward(memory)));
}

// --- Features to tokens ----------------------------------------------------------------------------

TopiqGate::TopiqGate(torch::nn::Module& parent, int64_t channels) {
  convs_ = {parent.register_module("0", std::make_shared<Conv2d>(channels, kGateFeatures, pointwise())),
            parent.register_module("2", std::make_shared<Conv2d>(kGateFeatures, kGateFeatures)),
            parent.register_module("4", std::make_shared<Conv2d>(kGateFeatures, 1))};
}

Tensor TopiqGate::forward(const Tensor& feature) const {
  Tensor x = feature;
  for (const auto& conv : convs_) x = convolve(*conv, &conv == &convs_.front() ? x : gelu_of_map(x));
  return x.sigmoid_();
}

void TopiqGate::precede(const Tensor& weight, const Tensor& bias) {
  const at::NoGradGuard no_grad;
  Conv2d& first = *convs_.front();
  const Tensor own = first.weight.flatten(1).to(at::kDouble);
  first.bias.add_(at::mv(own, bias.to(at::kDouble)));
  first.weight.set_data(
      at::mm(own, weight.flatten(1).to(at::kDouble)).to(at::kFloat).view({-1, weight.size(1), 1, 1}));
}

TopiqLevel::TopiqLevel(torch::nn::Module& reduce, torch::nn::Module& pool, torch::nn::Module& attention,
                       size_t index, const TopiqConfig& config)
    : channels_(ResNet::channels.at(index)) {
  const std::string name = std::to_string(index);
  const int64_t reduced_from = config.reference ? 3 * channels_ : channels_;
  reduce_ = std::make_shared<Conv2d>(reduced_from, config.features, pointwise());
  register_list<Conv2d>(reduce, name, {reduce_});
  const auto own_pool = register_container(pool, name);
  if (!config.reference) {
    splitconv_ = own_pool->register_module("splitconv",
                                           std::make_shared<Conv2d>(channels_, 2 * channels_, pointwise()));
  }
  gate_ = TopiqGate(config.reference ? *own_pool : *register_container(*own_pool, "weight_blk"), channels_);
  layers_ = register_layers(attention, name, config, false);
}

void TopiqLevel::fold() {
  if (!splitconv_) return;
  const at::NoGradGuard no_grad;
  gate_.precede(splitconv_->weight.slice(0, channels_), splitconv_->bias.slice(0, channels_));
  splitconv_->weight.set_data(splitconv_->weight.slice(0, 0, channels_).clone());
  splitconv_->bias.set_data(splitconv_->bias.slice(0, 0, channels_).clone());
}

Tensor TopiqLevel::pooled(const Tensor& feature, const Tensor& reference, at::IntArrayRef size) const {
  if (!reference.defined())
    return shrunk(gelu_of_map(convolve(*splitconv_, feature)).mul_(gate_.forward(feature)), size);
  const Tensor distance = (feature - reference).square_().add_(kDistanceEpsilon).sqrt_();
  const Tensor weight = gate_.forward(distance);
  // Averaging one after the other keeps the large ones from being copied side by side.
  return at::cat(
      {shrunk(feature * weight, size), shrunk(reference * weight, size), shrunk(distance * weight, size)}, 1);
}

Tensor TopiqLevel::tokens(const Tensor& pooled, const Tensor& positions) const {
  Tensor x = (gelu_of_map(convolve(*reduce_, pooled)) + positions).flatten(2).transpose(1, 2);
  for (const auto& layer : layers_) x = layer->forward(x);
  return x;
}

// --- The network -----------------------------------------------------------------------------------

TopiqNet::TopiqNet(const TopiqConfig& config, const StateDict& weights)
    : torch::nn::Module("TOPIQ"),
      config_(config),
      backbone_(register_module("semantic_model", std::make_shared<ResNet>())) {
  const int64_t half = config.features / 2;
  if (config.heads < 1 || config.features % config.heads != 0) {
    throw Error(fmt::format("TOPIQ cannot divide {} features among {} heads", config.features, config.heads));
  }
  h_emb_ = register_parameter("h_emb", torch::zeros({1, half, kPositionCells, 1}));
  w_emb_ = register_parameter("w_emb", torch::zeros({1, half, 1, kPositionCells}));
  const auto reduce = register_container(*this, "dim_reduce"),
             pool = register_container(*this, "weight_pool"),
             attention = register_container(*this, "sa_attn_blks"),
             cross = register_container(*this, "attn_blks");
  for (size_t i = 0; i < ResNet::channels.size(); ++i)
    levels_.emplace_back(*reduce, *pool, *attention, i, config);
  for (size_t i = 0; i + 1 < ResNet::channels.size(); ++i)
    cross_.push_back(register_layers(*cross, std::to_string(i), config, true));
  register_head();
  fill_module(*this, weights, spare);
  backbone_->fold();
  for (auto& level : levels_) level.fold();
  put_channels_last(*this);
}

void TopiqNet::register_head() {
  const int64_t features = config_.features;
  pool_ = register_module("attn_pool", std::make_shared<TopiqLayer>(config_, false));
  const auto list = register_container(*this, "score_linear");
  score_norm1_ = list->register_module("0", std::make_shared<LayerNorm>(features, kLayerEpsilon));
  score1_ = list->register_module("1", std::make_shared<Linear>(features, features));
  score_norm2_ = list->register_module("3", std::make_shared<LayerNorm>(features, kLayerEpsilon));
  score2_ = list->register_module("4", std::make_shared<Linear>(features, features));
  score3_ = list->register_module("6", std::make_shared<Linear>(features, config_.classes));
}

Tensor TopiqNet::positions(at::IntArrayRef size) const {
  const Tensor cells =
      at::cat({h_emb_.expand({-1, -1, -1, kPositionCells}), w_emb_.expand({-1, -1, kPositionCells, -1})}, 1);
  return at::upsample_bicubic2d(cells, size, /*align_corners=*/false);
}

Tensor TopiqNet::score(const Tensor& tokens) const {
  Tensor x = at::gelu(score1_->forward(score_norm1_->forward(tokens.mean(1))));
  x = score3_->forward(at::gelu(score2_->forward(score_norm2_->forward(x))));
  return config_.classes > 1 ? x.softmax(-1) : x;
}

Tensor TopiqNet::judge(const std::vector<Tensor>& image, const std::vector<Tensor>& reference) const {
  const at::IntArrayRef smallest = image.back().sizes().slice(2);
  std::vector<Tensor> tokens;  // from the coarsest level to the finest
  for (size_t i = levels_.size(); i-- > 0;) {
    const Tensor pooled = levels_[i].pooled(image[i], reference.empty() ? Tensor() : reference[i], smallest);
    tokens.push_back(levels_[i].tokens(pooled, positions(pooled.sizes().slice(2))));
  }
  Tensor x = tokens.front();
  for (size_t i = 0; i < cross_.size(); ++i) {
    for (const auto& layer : cross_[i]) x = layer->forward(x, tokens[i + 1]);
  }
  return score(pool_->forward(x));
}

}  // namespace sr
