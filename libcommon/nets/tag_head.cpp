#include "nets/tag_head.h"

#include <fmt/format.h>

#include "core/error.h"
#include "nets/layers.h"
#include "nets/transformer.h"

namespace sr {
namespace {

constexpr double kNormEpsilon = 1e-12;

}  // namespace

TagHeadLayer::TagHeadLayer(const TagHeadConfig& config) : heads_(config.heads), drop_rate_(config.drop_rate) {
  if (heads_ < 1 || config.features % heads_ != 0)
    throw Error(
        fmt::format("a tagging head cannot divide {} features among {} heads", config.features, heads_));
  register_attention(config);
  register_mlp(config);
}

void TagHeadLayer::register_attention(const TagHeadConfig& config) {
  const int64_t features = config.features, memory = config.memory_features;
  const auto attention = register_container(*this, "crossattention");
  const auto self = register_container(*attention, "self"), output = register_container(*attention, "output");
  query_ = self->register_module("query", std::make_shared<LoraLinear>(features, features));
  key_ = self->register_module("key", std::make_shared<LoraLinear>(memory, features));
  value_ = self->register_module("value", std::make_shared<Linear>(memory, features));
  mixed_ = output->register_module("dense", std::make_shared<Linear>(features, features));
  attention_norm_ = output->register_module("LayerNorm", std::make_shared<LayerNorm>(features, kNormEpsilon));
}

void TagHeadLayer::register_mlp(const TagHeadConfig& config) {
  const auto intermediate = register_container(*this, "intermediate"),
             output = register_container(*this, "output");
  wide_ =
      intermediate->register_module("dense", std::make_shared<Linear>(config.features, config.mlp_features));
  narrow_ = output->register_module("dense", std::make_shared<Linear>(config.mlp_features, config.features));
  mlp_norm_ =
      output->register_module("LayerNorm", std::make_shared<LayerNorm>(config.features, kNormEpsilon));
}

Tensor TagHeadLayer::dropped(const Tensor& residual) const {
  return at::dropout(residual, drop_rate_, is_training());
}

Tensor TagHeadLayer::attend(const Tensor& questions, const Tensor& memory) const {
  const Tensor looked_at = value_->cast(memory);
  const Tensor query = query_->forward(questions).expand({memory.size(0), -1, -1});
  const Tensor mixed = attention(query, key_->forward(looked_at), value_->forward(looked_at), heads_,
                                 {.dropped = is_training() ? drop_rate_ : 0});
  return mixed_->forward(mixed);
}

Tensor TagHeadLayer::forward(const Tensor& questions, const Tensor& memory) const {
  const Tensor x = attention_norm_->forward(questions + dropped(attend(questions, memory)));
  return mlp_norm_->forward(x + dropped(narrow_->forward(at::gelu(wide_->forward(x)))));
}

TagHead::TagHead(const TagHeadConfig& config) {
  for (int64_t i = 0; i < config.layers; ++i) layers_.push_back(std::make_shared<TagHeadLayer>(config));
  register_list(*register_container(*this, "encoder"), "layer", layers_);
}

Tensor TagHead::forward(const Tensor& questions, const Tensor& memory) const {
  Tensor x = questions;
  for (const auto& layer : layers_) x = layer->forward(x, memory);
  return x;
}

}  // namespace sr
