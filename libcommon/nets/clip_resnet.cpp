#include "nets/clip_resnet.h"

#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/feature_net.h"
#include "nets/layers.h"

namespace sr {
namespace {

constexpr int64_t kExpansion = 4;

Tensor pooled_by(const Tensor& x, int64_t stride) {
  return stride == 1 ? x : at::avg_pool2d(x, {stride, stride});
}

}  // namespace

// --- blocks ----------------------------------------------------------------------------------------

Tensor ClipConv::forward(const Tensor& input, bool relu) const {
  if (fast && on_fast_path(input) && fast->pays(input)) return fast->forward(input, relu);
  Tensor output = pair.forward(input);
  return relu ? relu_in_place(std::move(output)) : output;
}

void ClipConv::fold() {
  if (!pair.conv) return;
  pair.fold();
  pair.conv->set_precision(at::kFloat);  // channels-last
  if (WinogradConv::suits(*pair.conv)) fast = std::make_shared<WinogradConv>(*pair.conv);
}

ClipBottleneck::ClipBottleneck(int64_t in, int64_t planes, int64_t stride)
    : stride_(stride),
      reduce_(register_normed_conv(*this, "conv1", "bn1", in, planes, 1)),
      conv_(register_normed_conv(*this, "conv2", "bn2", planes, planes, 3)),
      expand_(register_normed_conv(*this, "conv3", "bn3", planes, kExpansion * planes, 1)) {
  if (stride == 1 && in == kExpansion * planes) return;
  // Officially a Sequential whose pooling is called `-1`.
  auto& downsample = *register_container(*this, "downsample");
  shortcut_ = register_normed_conv(downsample, "0", "1", in, kExpansion * planes, 1);
}

Tensor ClipBottleneck::forward(const Tensor& input) const {
  const Tensor x = pooled_by(conv_.forward(reduce_.forward(input, /*relu=*/true), /*relu=*/true), stride_);
  const Tensor shortcut =
      shortcut_.pair.conv ? shortcut_.forward(pooled_by(input, stride_), /*relu=*/false) : input;
  return relu_in_place(expand_.forward(x, /*relu=*/false).add_(shortcut));
}

void ClipBottleneck::fold() {
  for (ClipConv* conv : {&reduce_, &conv_, &expand_, &shortcut_}) conv->fold();
}

// --- attention pool --------------------------------------------------------------------------------

ClipAttentionPool::ClipAttentionPool(const ClipResNetConfig& config) : heads_(config.heads) {
  const int64_t channels = config.channels(config.layers.size() - 1), side = config.pool_side();
  if (channels % heads_ != 0) {
    throw Error(
        fmt::format("CLIP's attention pool can't share {} channels among {} heads", channels, heads_));
  }
  positional_embedding =
      register_parameter("positional_embedding", torch::zeros({side * side + 1, channels}));
  const auto linear = [&](const char* name, int64_t out) {
    return register_module(name, std::make_shared<Linear>(channels, out));
  };
  k_proj = linear("k_proj", channels);
  q_proj = linear("q_proj", channels);
  v_proj = linear("v_proj", channels);
  c_proj = linear("c_proj", config.output_dim);
}

Tensor ClipAttentionPool::positions(Position position, int64_t tokens) const {
  if (position == Position::resized) {
    const Tensor picture = positional_embedding.view({1, 1, positional_embedding.size(0), -1});
    return at::upsample_bicubic2d(picture, {tokens, picture.size(3)}, /*align_corners=*/false)[0][0];
  }
  if (positional_embedding.size(0) != tokens) {
    throw Error(fmt::format("CLIP's image tower takes images of one size: {} places, not {}",
                            positional_embedding.size(0) - 1, tokens - 1));
  }
  return positional_embedding;
}

// The one query q makes the projections of all keys and values needless: a head's score of a token x is
// q . (K x + k) = (K' q) . x + const, and softmax ignores the constant; the mean of the values V x + v, its
// weights summing to 1, is V applied to the mean of the x, plus v.
Tensor ClipAttentionPool::forward(const Tensor& features, Position position) const {
  const int64_t images = features.size(0), channels = features.size(1), depth = channels / heads_;
  Tensor tokens = features.flatten(2).transpose(1, 2);
  tokens = at::cat({tokens.mean(1, /*keepdim=*/true), tokens}, 1);
  if (position != Position::none) tokens = tokens + positions(position, tokens.size(1));
  const Tensor query = q_proj->forward(tokens.select(1, 0)) / std::sqrt(static_cast<double>(depth));
  const Tensor by_head = query.view({images, heads_, depth}).transpose(0, 1);             // [heads,N,depth]
  const Tensor asked = at::bmm(by_head, k_proj->weight.view({heads_, depth, channels}));  // [heads,N,C]
  const Tensor scores = at::bmm(asked.transpose(0, 1), tokens.transpose(1, 2));           // [N,heads,tokens]
  const Tensor means = at::bmm(scores.softmax(-1), tokens).transpose(0, 1);               // [heads,N,C]
  const Tensor values = at::bmm(means, v_proj->weight.view({heads_, depth, channels}).transpose(1, 2));
  return c_proj->forward(values.transpose(0, 1).reshape({images, channels}) + v_proj->bias);
}

// --- the tower -------------------------------------------------------------------------------------

ModifiedResNet::ModifiedResNet(const ClipResNetConfig& config) : config_(config) {
  const int64_t width = config.width, half = width / 2;
  stem_ = {register_normed_conv(*this, "conv1", "bn1", 3, half, 3, 2),
           register_normed_conv(*this, "conv2", "bn2", half, half, 3),
           register_normed_conv(*this, "conv3", "bn3", half, width, 3)};
  int64_t in = width;
  for (size_t level = 0; level < config.layers.size(); ++level) {
    auto& blocks = layers_.emplace_back();
    for (int64_t i = 0; i < config.layers[level]; ++i) {
      const int64_t stride = i == 0 && level > 0 ? 2 : 1;
      blocks.push_back(std::make_shared<ClipBottleneck>(in, config.channels(level) / kExpansion, stride));
      in = config.channels(level);
    }
    register_list(*this, fmt::format("layer{}", level + 1), blocks);
  }
  if (config.output_dim > 0)
    attnpool_ = register_module("attnpool", std::make_shared<ClipAttentionPool>(config));
}

std::vector<Tensor> ModifiedResNet::features(const Tensor& images, size_t levels) const {
  Tensor x = images;
  for (const auto& conv : stem_) x = conv.forward(x, /*relu=*/true);
  std::vector<Tensor> found{x = at::avg_pool2d(x, {2, 2})};
  for (size_t level = 0; level < std::min(levels, layers_.size()); ++level) {
    for (const auto& block : layers_[level]) x = block->forward(x);
    found.push_back(x);
  }
  return found;
}

Tensor ModifiedResNet::forward(const Tensor& images) const {
  return pooled(features(images).back(), Position::fixed);
}

void ModifiedResNet::fold() {
  for (auto& conv : stem_) conv.fold();
  for (const auto& layer : layers_) {
    for (const auto& block : layer) block->fold();
  }
}

}  // namespace sr
