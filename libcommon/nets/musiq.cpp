#include "nets/musiq.h"

#include <fmt/format.h>
#include <tuple>

#include "core/error.h"
#include "nets/feature_maps.h"
#include "nets/fill_module.h"
#include "nets/keys.h"
#include "nets/layers.h"

namespace sr {
namespace {

constexpr int64_t kStemFeatures = 64, kTokenFeatures = 256, kNormGroups = 32;
constexpr double kRootEpsilon = 1e-6, kBlockEpsilon = 1e-4, kLayerEpsilon = 1e-6;
constexpr double kDeviationEpsilon = 1e-5;  // of standardised weights

constexpr const char* kLayerPrefix = "transformer_encoder.transformer.encoderblock_";

/// Convolutions without bias; the one of the root is padded by hand.
ConvOptions stem_conv(int64_t kernel) {
  const bool root = kernel == 7;
  return {
      .kernel = kernel, .stride = root ? 2 : 1, .padding = root ? 0 : kernel / 2, .groups = 1, .bias = false};
}

}  // namespace

MusiqConfig musiq_config(const StateDict& weights) {
  MusiqConfig config;
  config.hidden = keys::extent(weights, "embedding.weight", 0);
  config.patch = 4 * keys::square_root(keys::extent(weights, "embedding.weight", 1) / kTokenFeatures);
  config.layers = 0;
  while (keys::has_prefix(weights, fmt::format("{}{}.", kLayerPrefix, config.layers))) ++config.layers;
  config.mlp_features = keys::extent(weights, fmt::format("{}0.mlp.fc1.weight", kLayerPrefix), 0);
  config.scales = keys::extent(weights, "transformer_encoder.scaleembed_input.scale_emb", 0);
  config.grid =
      keys::square_root(keys::extent(weights, "transformer_encoder.posembed_input.position_emb", 1));
  // The head with a softmax after it is a sequence.
  if (keys::has(weights, "head.0.weight")) config.classes = keys::extent(weights, "head.0.weight", 0);
  return config;
}

MusiqLayer::MusiqLayer(const MusiqConfig& config)
    : norm1_(register_module("norm1", std::make_shared<LayerNorm>(config.hidden, kLayerEpsilon))),
      norm2_(register_module("norm2", std::make_shared<LayerNorm>(config.hidden, kLayerEpsilon))),
      mlp_(register_module("mlp", std::make_shared<Mlp>(config.hidden, config.mlp_features))),
      heads_(config.heads) {
  const auto attention = register_container(*this, "attention");
  const auto linear = [&](const char* name) {
    return attention->register_module(name, std::make_shared<Linear>(config.hidden, config.hidden));
  };
  query_ = linear("query");
  key_ = linear("key");
  value_ = linear("value");
  out_ = linear("out");
}

Tensor MusiqLayer::attend(const Tensor& normalised) const {
  return out_->forward(
      attention(query_->forward(normalised), key_->forward(normalised), value_->forward(normalised), heads_));
}

Tensor MusiqLayer::forward(const Tensor& tokens) const {
  const Tensor x = tokens + attend(norm1_->forward(tokens));
  return x + mlp_->forward(norm2_->forward(x));
}

MusiqNet::MusiqNet(const MusiqConfig& config, const StateDict& weights)
    : torch::nn::Module("MUSIQ"), config_(config) {
  if (config.patch < 4 || config.patch % 4 != 0)
    throw Error(fmt::format("MUSIQ takes patches of a multiple of 4 pixels, not {}", config.patch));
  if (config.heads < 1 || config.hidden % config.heads != 0) {
    throw Error(fmt::format("MUSIQ cannot divide {} features among {} heads", config.hidden, config.heads));
  }
  register_stem();
  register_encoder();
  head_ = std::make_shared<Linear>(config.hidden, config.classes);
  if (config.classes > 1) {
    register_list<Linear>(*this, "head", {head_});
  } else {
    register_module("head", head_);
  }
  fill_module(*this, weights);
  standardise();
  put_channels_last(*this);
}

void MusiqNet::register_stem() {
  conv_root_ = register_module("conv_root", std::make_shared<Conv2d>(3, kStemFeatures, stem_conv(7)));
  gn_root_ =
      register_module("gn_root", std::make_shared<GroupNorm>(kNormGroups, kStemFeatures, kRootEpsilon));
  const auto block = register_container(*this, "block1");
  const auto pair = [&](const std::string& conv, const std::string& norm, int64_t out, int64_t kernel) {
    return std::pair{
        block->register_module(conv, std::make_shared<Conv2d>(kStemFeatures, out, stem_conv(kernel))),
        block->register_module(norm, std::make_shared<GroupNorm>(kNormGroups, out, kBlockEpsilon))};
  };
  std::tie(conv1_, gn1_) = pair("conv1", "gn1", kStemFeatures, 1);
  std::tie(conv2_, gn2_) = pair("conv2", "gn2", kStemFeatures, 3);
  std::tie(conv3_, gn3_) = pair("conv3", "gn3", kTokenFeatures, 1);
  std::tie(conv_proj_, gn_proj_) = pair("conv_proj", "gn_proj", kTokenFeatures, 1);
}

void MusiqNet::register_encoder() {
  const int64_t side = config_.patch / 4, hidden = config_.hidden;
  embedding_ = register_module("embedding", std::make_shared<Linear>(kTokenFeatures * side * side, hidden));
  const auto encoder = register_container(*this, "transformer_encoder");
  cls_ = encoder->register_parameter("cls", torch::zeros({1, 1, hidden}));
  position_emb_ =
      register_container(*encoder, "posembed_input")
          ->register_parameter("position_emb", torch::zeros({1, config_.grid * config_.grid, hidden}));
  scale_emb_ = register_container(*encoder, "scaleembed_input")
                   ->register_parameter("scale_emb", torch::zeros({config_.scales, hidden}));
  const auto transformer = register_container(*encoder, "transformer");
  for (int64_t i = 0; i < config_.layers; ++i) {
    layers_.push_back(transformer->register_module(fmt::format("encoderblock_{}", i),
                                                   std::make_shared<MusiqLayer>(config_)));
  }
  encoder_norm_ =
      encoder->register_module("encoder_norm", std::make_shared<LayerNorm>(hidden, kLayerEpsilon));
}

/// The convolutions work with standardised weights; done once, since they don't change any more.
void MusiqNet::standardise() {
  const at::NoGradGuard no_grad;
  for (const auto& conv : {conv_root_, conv1_, conv2_, conv3_, conv_proj_}) {
    const Tensor weight = conv->weight.to(at::kDouble);
    const Tensor centred = weight - weight.mean({1, 2, 3}, /*keepdim=*/true);
    const Tensor deviation = weight.std(at::IntArrayRef{1, 2, 3}, /*unbiased=*/true, /*keepdim=*/true);
    conv->weight.copy_(centred / (deviation + kDeviationEpsilon));
  }
}

Tensor MusiqNet::stem(const Tensor& patches) const {
  // TensorFlow's 'same': ceil(side / 2) windows, and of the zeros that this takes the odd one below and
  // right.
  Tensor x = convolve(*conv_root_, at::constant_pad_nd(channels_last(patches), {2, 3, 2, 3}));
  x = gn_root_->forward_relu(x);
  // Here too; but zeros are never more than what ReLU left, so windows may just end early.
  x = at::max_pool2d(x, {3, 3}, {2, 2}, {0, 0}, {1, 1}, /*ceil_mode=*/true);
  Tensor y = gn1_->forward_relu(convolve(*conv1_, x));
  y = gn2_->forward_relu(convolve(*conv2_, y));
  y = gn3_->forward(convolve(*conv3_, y));
  return relu_in_place(y.add_(gn_proj_->forward(convolve(*conv_proj_, x))));
}

Tensor MusiqNet::embed(const Tensor& features) const {
  return embedding_->forward(
      features.permute({0, 2, 3, 1}).flatten(1));  // channels last, as TensorFlow has it
}

Tensor MusiqNet::judge(const Tensor& tokens, const Tensor& positions, const Tensor& scales) const {
  const Tensor placed =
      tokens + position_emb_[0].index_select(0, positions) + scale_emb_.index_select(0, scales);
  Tensor x = at::cat({cls_, placed.unsqueeze(0)}, 1);
  for (const auto& layer : layers_) x = layer->forward(x);
  const Tensor answer = head_->forward(encoder_norm_->forward(x.select(1, 0)))[0];
  return config_.classes > 1 ? answer.softmax(-1) : answer;
}

}  // namespace sr
