#include "nets/sd_text_encoder.h"

#include <fmt/format.h>

#include "core/error.h"
#include "nets/config_reader.h"
#include "nets/fill_module.h"
#include "nets/layers.h"

namespace sr {
namespace {

/// Adds a child that has nothing but the parameter `weight`.
Tensor register_table(torch::nn::Module& parent, const std::string& name, int64_t rows, int64_t features) {
  const auto table = register_container(parent, name);
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

SdTextConfig sd_text_config(const nlohmann::json& json) {
  ConfigReader reader(json);
  const SdTextConfig config{
      .vocabulary = reader.count("vocab_size"),
      .positions = reader.count("max_position_embeddings"),
      .features = reader.count("hidden_size"),
      .mlp_features = reader.count("intermediate_size"),
      .layers = reader.count("num_hidden_layers"),
      .heads = reader.count("num_attention_heads"),
      .gelu = reader.one_of<Gelu>("hidden_act", {{"gelu", Gelu::exact}, {"quick_gelu", Gelu::quick}}),
      .norm_epsilon = reader.number("layer_norm_eps", 1e-15, 1)};
  if (config.features % config.heads != 0)
    ConfigReader::refuse("num_attention_heads", config.heads,
                         fmt::format("which does not divide hidden_size = {}", config.features));
  return config;
}

SdTextEncoder::SdTextEncoder(const SdTextConfig& config)
    : torch::nn::Module("the text encoder"), config_(config) {
  const auto model = register_container(*this, "text_model");
  const auto embeddings = register_container(*model, "embeddings");
  token_embedding_ = register_table(*embeddings, "token_embedding", config.vocabulary, config.features);
  position_embedding_ = register_table(*embeddings, "position_embedding", config.positions, config.features);
  for (int64_t i = 0; i < config.layers; ++i) layers_.push_back(std::make_shared<SdTextLayer>(config));
  register_list(*register_container(*model, "encoder"), "layers", layers_);
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
