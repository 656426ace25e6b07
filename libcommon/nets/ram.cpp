#include "nets/ram.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/checkpoint_kind.h"
#include "nets/fill_module.h"
#include "nets/keys.h"

namespace sr {
namespace {

bool is_lora(const std::string& key) { return key.ends_with(".lora_A") || key.ends_with(".lora_B"); }

bool has_lora(const StateDict& weights) {
  return std::ranges::any_of(weights, [](const auto& entry) { return is_lora(entry.first); });
}

/// LoRA that nobody trains, of the query and key of an attention: `memory` features make the keys.
void add_untrained(StateDict& file, const std::string& attention, int64_t features, int64_t memory,
                   int64_t rank) {
  for (const auto& [name, inputs] : {std::pair{"query", features}, std::pair{"key", memory}}) {
    const std::string layer = fmt::format("{}.self.{}.", attention, name);
    file[layer + "lora_A"] = at::zeros({rank, inputs});
    file[layer + "lora_B"] = at::zeros({features, rank});
  }
}

}  // namespace

Ram::Ram(const RamConfig& config) : torch::nn::Module("RAM"), config_(config) {
  const int64_t features = config.head.features, embedding = config.head.memory_features;
  const int64_t tokens = config.swin.channels(config.swin.stages() - 1);
  visual_encoder_ = register_module("visual_encoder", std::make_shared<Swin>(config.swin));
  image_proj_ = register_module("image_proj", std::make_shared<Linear>(tokens, embedding));
  label_embed_ = register_parameter("label_embed", torch::zeros({config.classes, config.label_features}));
  wordvec_proj_ = register_module("wordvec_proj", std::make_shared<Linear>(config.label_features, features));
  tagging_head_ = register_module("tagging_head", std::make_shared<TagHead>(config.head));
  fc_ = register_module("fc", std::make_shared<Linear>(features, 1));
}

Tensor Ram::embed(const Tensor& images) const {
  const Tensor tokens = visual_encoder_->forward(images);
  const Tensor with_mean = at::cat({tokens.mean(1, /*keepdim=*/true), tokens}, 1);
  return image_proj_->forward(with_mean).to(tokens.scalar_type());
}

Tensor Ram::logits(const Tensor& embeddings) const {
  // The same questions for every image: one copy goes as far into the head as it can.
  const Tensor questions = at::relu(wordvec_proj_->forward(label_embed_)).unsqueeze(0);
  const Tensor answers = tagging_head_->forward(questions, embeddings);
  return fc_->forward(answers).squeeze(-1).to(embeddings.scalar_type());
}

StateDict ram_weights(const StateDict& checkpoint) {
  const std::string old_name = "vision_multi", name = "tagging_head";
  StateDict weights;
  for (const auto& [key, tensor] : checkpoint) {
    std::string renamed = key;
    if (const auto at = key.find(old_name); at != std::string::npos)
      renamed.replace(at, old_name.size(), name);
    weights[renamed] = tensor;
  }
  return weights;
}

std::optional<RamConfig> detect_ram(const StateDict& weights) {
  const std::string layers = "tagging_head.encoder.layer.", first = layers + "0.";
  const bool fits = keys::has(weights, "label_embed") && keys::has(weights, "wordvec_proj.weight") &&
                    keys::has(weights, "visual_encoder.patch_embed.proj.weight") &&
                    keys::has(weights, first + "crossattention.self.key.weight");
  if (!fits || keys::has(weights, "reweight_scale")) return std::nullopt;  // RAM++ has that
  RamConfig config;
  const LoraParts lora = config.swin.lora;
  config.swin = swin_config(weights, "visual_encoder.");
  config.swin.lora = lora;
  config.classes = keys::extent(weights, "label_embed", 0);
  config.label_features = keys::extent(weights, "label_embed", 1);
  config.head.features = keys::extent(weights, "wordvec_proj.weight", 0);
  config.head.memory_features = keys::extent(weights, first + "crossattention.self.key.weight", 1);
  config.head.mlp_features = keys::extent(weights, first + "intermediate.dense.weight", 0);
  config.head.layers = keys::count(weights, layers);
  return config;
}

std::shared_ptr<Ram> make_ram(const StateDict& checkpoint, const RamDropRates& drops) {
  const StateDict weights = ram_weights(checkpoint);
  auto config = detect_ram(weights);
  if (!config) throw Error(fmt::format("the weights are not RAM's but {}", checkpoint_kind(weights)));
  config->swin.path_drop_rate = drops.path;
  config->head.drop_rate = drops.head;
  auto ram = std::make_shared<Ram>(*config);
  fill_module(*ram, weights, [](const std::string&) { return true; });
  if (has_lora(weights)) load_lora(*ram, weights);
  return ram;
}

bool is_dape(const StateDict& weights) {
  return !weights.empty() &&
         std::ranges::all_of(weights, [](const auto& entry) { return is_lora(entry.first); });
}

void load_dape(Ram& ram, const StateDict& checkpoint) {
  if (!is_dape(checkpoint))
    throw Error(fmt::format("the weights are not DAPE's but {}", checkpoint_kind(checkpoint)));
  load_lora(ram, ram_weights(checkpoint));
}

StateDict dape_file(const Ram& ram) {
  constexpr int bert_layers = 12;  // of the text decoder and of the tag encoder
  const int64_t features = ram.config().head.features, memory = ram.config().head.memory_features;
  StateDict file = lora_state(ram);
  if (file.empty()) throw Error("there is no LoRA beside this RAM to be saved as DAPE");
  for (auto& [key, tensor] : file) tensor = tensor.detach().cpu().clone();
  const int64_t rank = file.at("tagging_head.encoder.layer.0.crossattention.self.key.lora_B").size(1);
  for (int i = 0; i < bert_layers; ++i) {
    const std::string tags = fmt::format("tag_encoder.encoder.layer.{}.", i);
    const std::string text = fmt::format("text_decoder.bert.encoder.layer.{}.", i);
    add_untrained(file, tags + "attention", features, features, rank);
    add_untrained(file, tags + "crossattention", features, memory, rank);
    add_untrained(file, text + "attention", features, features, rank);
    add_untrained(file, text + "crossattention", features, features, rank);
  }
  return file;
}

}  // namespace sr
