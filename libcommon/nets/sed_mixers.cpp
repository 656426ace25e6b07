#include "nets/sed_mixers.h"

#include <algorithm>

namespace sr {
namespace {

Tensor tokens_of(const Tensor& map) { return map.flatten(2).transpose(1, 2); }

/// Keys are those of the official code: the attention's own.
class CrossAttention : public SemanticMixer {
 public:
  explicit CrossAttention(const SemanticFusionConfig& config)
      : attention_(std::make_shared<SedAttention>(config.heads, config.head_width)) {
    for (const auto& child : attention_->named_children()) register_module(child.key(), child.value());
  }
  Tensor forward(const Tensor& tokens, at::IntArrayRef, const Tensor& features) const override {
    return attention_->forward(tokens, tokens_of(features));
  }

 private:
  std::shared_ptr<SedAttention> attention_;
};

class Concatenation : public SemanticMixer {
 public:
  explicit Concatenation(int64_t width)
      : join_(register_module("join", std::make_shared<Linear>(2 * width, width))) {}
  Tensor forward(const Tensor& tokens, at::IntArrayRef grid, const Tensor& features) const override {
    return join_->forward(at::cat({tokens, tokens_of(at::adaptive_avg_pool2d(features, grid))}, -1));
  }

 private:
  std::shared_ptr<Linear> join_;
};

class ChannelAttention : public SemanticMixer {
 public:
  explicit ChannelAttention(int64_t width)
      : fc1_(register_module("fc1", std::make_shared<Linear>(width, hidden(width)))),
        fc2_(register_module("fc2", std::make_shared<Linear>(hidden(width), width))) {}
  Tensor forward(const Tensor& tokens, at::IntArrayRef, const Tensor& features) const override {
    const Tensor means = features.mean({2, 3});
    return tokens * fc2_->forward(relu_in_place(fc1_->forward(means))).sigmoid().unsqueeze(1);
  }

 private:
  static int64_t hidden(int64_t width) { return std::max<int64_t>(1, width / 4); }

  std::shared_ptr<Linear> fc1_, fc2_;
};

class SpatialAttention : public SemanticMixer {
 public:
  SpatialAttention()
      : conv_(register_module("conv",
                              std::make_shared<Conv2d>(2, 1, ConvOptions{.kernel = 7, .padding = 3}))) {}
  Tensor forward(const Tensor& tokens, at::IntArrayRef grid, const Tensor& features) const override {
    const Tensor on_grid = at::adaptive_avg_pool2d(features, grid);
    const Tensor summary = at::cat({on_grid.mean(1, true), on_grid.amax(1, true)}, 1);
    return tokens * tokens_of(conv_->forward(summary)).sigmoid();
  }

 private:
  std::shared_ptr<Conv2d> conv_;
};

}  // namespace

std::shared_ptr<SemanticMixer> make_mixer(const SemanticFusionConfig& config) {
  using Kind = SemanticFusionConfig::Kind;
  const int64_t width = config.heads * config.head_width;
  switch (config.kind) {
    case Kind::attention: return std::make_shared<CrossAttention>(config);
    case Kind::concatenation: return std::make_shared<Concatenation>(width);
    case Kind::channel: return std::make_shared<ChannelAttention>(width);
    case Kind::spatial: break;
  }
  return std::make_shared<SpatialAttention>();
}

}  // namespace sr
