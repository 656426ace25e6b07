#include "nets/sd_text_encoder.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "nets/fill_module.h"

namespace sr {
namespace {

using Json = nlohmann::json;

// --- configuration ---------------------------------------------------------------------------------

const Json& entry(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end()) throw Error(fmt::format("the text encoder's configuration lacks {}", key));
  return *found;
}

int64_t count(const Json& json, const char* key) {
  const Json& value = entry(json, key);
  if (!value.is_number_integer() || value <= 0) {
    throw Error(
        fmt::format("the text encoder's {} must be a positive whole number, not {}", key, value.dump()));
  }
  return value;
}

double epsilon(const Json& json, const char* key) {
  const Json& value = entry(json, key);
  if (!value.is_number() || value <= 0)
    throw Error(fmt::format("the text encoder's {} must be a positive number, not {}", key, value.dump()));
  return value;
}

Gelu activation(const Json& json, const char* key) {
  const Json& value = entry(json, key);
  if (value == "gelu") return Gelu::exact;
  if (value == "quick_gelu") return Gelu::quick;
  throw Error(fmt::format("the text encoder's {} must be gelu or quick_gelu, not {}", key, value.dump()));
}

// --- layers ----------------------------------------------------------------------------------------

/// Adds a child that has nothing but the parameter `weight`.
Tensor register_table(torch::nn::Module& parent, const std::string& name, int64_t rows, int64_t features) {
  const auto table = parent.register_module(name, std::make_shared<torch::nn::Module>(name));
  return table->register_parameter("weight", torch::zeros({rows, features}));
}

class SdTextAttention : public torch::nn::Module {
 public:
  SdTextAttention(int64_t features, int64_t heads)
      : heads_(heads),
        k_proj_(register_module("k_proj", std::make_shared<Linear>(features, features))),
        v_proj_(register_module("v_proj", std::make_shared<Linear>(features, features))),
        q_proj_(register_module("q_proj", std::make_shared<Linear>(features, features))),
        out_proj_(register_module("out_proj", std::make_shared<Linear>(features, features))) {}

  Tensor forward(const Tensor& tokens, const AttentionOptions& options) const {
    const Tensor input = q_proj_->cast(tokens);
    return out_proj_->forward(attention(q_proj_->forward(input), k_proj_->forward(input),
                                        v_proj_->forward(input), heads_, options));
  }

 private:
  int64_t heads_;
  std::shared_ptr<Linear> k_proj_, v_proj_, q_proj_, out_proj_;
};

}  // namespace

/// x += self_attn(layer_norm1(x)); x += mlp(layer_norm2(x)).
class SdTextLayer : public torch::nn::Module {
 public:
  explicit SdTextLayer(const SdTextConfig& config)
      : attention_(
            register_module("self_attn", std::make_shared<SdTextAttention>(config.features, config.heads))),
        norm1_(register_module("layer_norm1",
                               std::make_shared<LayerNorm>(config.features, config.norm_epsilon))),
        mlp_(
            register_module("mlp", std::make_shared<Mlp>(config.features, config.mlp_features, config.gelu))),
        norm2_(register_module("layer_norm2",
                               std::make_shared<LayerNorm>(config.features, config.norm_epsilon))) {}

  Tensor forward(const Tensor& tokens, const AttentionOptions& options) const {
    const Tensor x = tokens + attention_->forward(norm1_->forward(tokens), options);
    return x + mlp_->forward(norm2_->forward(x));
  }

 private:
  std::shared_ptr<SdTextAttention> attention_;
  std::shared_ptr<LayerNorm> norm1_;
  std::shared_ptr<Mlp> mlp_;
  std::shared_ptr<LayerNorm> norm2_;
};

SdTextConfig sd_text_config(const Json& json) {
  const SdTextConfig config{.vocabulary = count(json, "vocab_size"),
                            .positions = count(json, "max_position_embeddings"),
                            .features = count(json, "hidden_size"),
                            .mlp_features = count(json, "intermediate_size"),
                            .layers = count(json, "num_hidden_layers"),
                            .heads = count(json, "num_attention_heads"),
                            .gelu = activation(json, "hidden_act"),
                            .norm_epsilon = epsilon(json, "layer_norm_eps")};
  if (config.features % config.heads != 0) {
    throw Error(fmt::format("the text encoder's num_attention_heads ({}) must divide hidden_size ({})",
                            config.heads, config.features));
  }
  return config;
}

SdTextEncoder::SdTextEncoder(const SdTextConfig& config)
    : torch::nn::Module("the text encoder"), config_(config) {
  const auto container = [](torch::nn::Module& parent, const char* name) {
    return parent.register_module(name, std::make_shared<torch::nn::Module>(name));
  };
  const auto model = container(*this, "text_model");
  const auto embeddings = container(*model, "embeddings");
  token_embedding_ = register_table(*embeddings, "token_embedding", config.vocabulary, config.features);
  position_embedding_ = register_table(*embeddings, "position_embedding", config.positions, config.features);
  for (int64_t i = 0; i < config.layers; ++i) layers_.push_back(std::make_shared<SdTextLayer>(config));
  register_list(*container(*model, "encoder"), "layers", layers_);
  final_norm_ = model->register_module("final_layer_norm",
                                       std::make_shared<LayerNorm>(config.features, config.norm_epsilon));
}

void SdTextEncoder::check(const Tensor& tokens) const {
  if (tokens.size(1) > config_.positions) {
    throw Error(
        fmt::format("the text encoder takes up to {} tokens, not {}", config_.positions, tokens.size(1)));
  }
  const auto largest = tokens.max().item<int64_t>();
  if (largest >= config_.vocabulary) {
    throw Error(
        fmt::format("the text encoder has {} tokens, so none is number {}", config_.vocabulary, largest));
  }
}

Tensor SdTextEncoder::transform(const Tensor& tokens) const {
  check(tokens);
  const int64_t length = tokens.size(1);
  Tensor x = at::embedding(token_embedding_, tokens) + position_embedding_.slice(0, 0, length);
  const AttentionOptions causal{.mask = causal_mask(length, x.options().requires_grad(false)).unsqueeze(0)};
  for (const auto& layer : layers_) x = layer->forward(x, causal);
  return x;
}

std::shared_ptr<SdTextEncoder> make_sd_text_encoder(const SdTextConfig& config, const StateDict& weights) {
  auto encoder = std::make_shared<SdTextEncoder>(config);
  fill_module(*encoder, weights,
              [](const std::string& key) { return key == "text_model.embeddings.position_ids"; });
  return encoder;
}

}  // namespace sr
