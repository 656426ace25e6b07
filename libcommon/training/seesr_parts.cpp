#include "training/seesr_parts.h"

#include <ATen/Version.h>
#include <array>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/version.h"
#include "diffusion/model_folder.h"
#include "nets/draw.h"
#include "nets/fill_module.h"
#include "nets/network.h"
#include "training/checkpoint.h"
#include "training/packed_pictures.h"
#include "training/trainable.h"
#include "weights/safetensors.h"

namespace sr {
namespace {

using Json = nlohmann::json;

constexpr const char* kSees = "use_image_cross_attention";

/// Where the U-Net comes from.
ModelFolder first_unet(const SeesrConfig& config) {
  return ModelFolder(config.start.empty() ? config.sd : config.start).part("unet");
}

/// Its config.json, with what SeeSR adds.
Json unet_json(const SeesrConfig& config) {
  return first_unet(config).config([](Json json) {
    json[kSees] = true;
    conditioned_unet_config(json);
    return json;
  });
}

/// Of a new ControlNet: what ControlNetModel.from_unet takes over, of what the U-Net's says.
Json new_controlnet_json(const SeesrConfig& config) {
  constexpr std::array kept{"act_fn",
                            "attention_head_dim",
                            "block_out_channels",
                            "class_embed_type",
                            "cross_attention_dim",
                            "down_block_types",
                            "downsample_padding",
                            "flip_sin_to_cos",
                            "freq_shift",
                            "in_channels",
                            "layers_per_block",
                            "mid_block_scale_factor",
                            "norm_eps",
                            "norm_num_groups",
                            "num_attention_heads",
                            "num_class_embeds",
                            "only_cross_attention",
                            "projection_class_embeddings_input_dim",
                            "resnet_time_scale_shift",
                            "upcast_attention",
                            "use_linear_projection",
                            kSees};
  const Json unet = unet_json(config);
  const ControlNetConfig built;
  Json json = {{"_class_name", "ControlNetModel"},
               {"conditioning_channels", built.picture_channels},
               {"conditioning_embedding_out_channels", built.picture_features},
               {"controlnet_conditioning_channel_order", "rgb"},
               {"global_pool_conditions", false}};
  for (const auto* key : kept) {
    if (unet.contains(key)) json[key] = unet.at(key);
  }
  return json;
}

Json controlnet_json(const SeesrConfig& config) {
  if (config.start.empty()) return new_controlnet_json(config);
  return ModelFolder(config.start).part("controlnet").config([](const Json& json) { return json; });
}

/// The U-Net with new `image_attentions` where the weights have none.
std::shared_ptr<ConditionedUnet> make_unet(const SeesrConfig& config, const at::Generator& draws) {
  auto unet = std::make_shared<ConditionedUnet>(conditioned_unet_config(unet_json(config)));
  return first_unet(config).network([&](StateDict weights) {
    for (const auto& child : unet->named_modules()) {
      if (child.key().ends_with(".image_attentions")) draw_defaults(*child.value(), draws);
    }
    for (const auto& [key, tensor] : tensors_of(*unet)) {
      if (is_image_attention(key)) weights.emplace(key, tensor);
    }
    fill_module(*unet, weights);
    return unet;
  });
}

std::shared_ptr<ControlNet> make_controlnet(const SeesrConfig& config, const ConditionedUnet& unet,
                                            const at::Generator& draws) {
  if (config.start.empty()) return controlnet_of(unet, draws);
  const ModelFolder own = ModelFolder(config.start).part("controlnet");
  auto controlnet = std::make_shared<ControlNet>(own.config(controlnet_config));
  return own.network([&](const StateDict& weights) {
    copy_weights(*controlnet, weights);
    return controlnet;
  });
}

std::shared_ptr<Ram> load_ram(const SeesrConfig& config, const Arithmetic& arithmetic,
                              const TrainingWeights& weights) {
  const auto named = [](const std::string& name, const auto& work) {
    try {
      return work();
    } catch (const UsageError&) {
      throw;
    } catch (const Error& error) {
      throw UsageError(fmt::format("seesr.{}: {}", name, error.what()));
    }
  };
  auto ram = named("ram", [&] { return make_ram(weights.load(config.ram)); });
  if (!config.dape.empty()) named("dape", [&] { return load_dape(*ram, weights.load(config.dape)), 0; });
  for (const auto& [name, parameter] : all_parameters(*ram)) parameter.requires_grad_(false);
  ram->eval();
  set_precision(*ram, arithmetic.type);
  ram->to(arithmetic.device);
  return ram;
}

TagList load_tags(const TrainingWeights& weights, const Ram& ram) {
  return needed_to_start([&] {
    auto tags = read_tag_list(weights.find("ram-tags"), weights.find("ram-thresholds"));
    check_tag_list(tags, ram.config().classes);
    return tags;
  });
}

std::string origin(const Arithmetic& arithmetic, const std::vector<fs::path>& files) {
  auto text = fmt::format("sr-tools {}, {} threads, {} {}\n{}\n", kVersion, at::get_num_threads(),
                          at::DeviceTypeName(arithmetic.device.type()), at::toString(arithmetic.type),
                          at::show_config());
  for (const auto& file : files) {
    const auto stamp = FileStamp::of(file);
    text += fmt::format("{} {} {}\n", stamp.path, stamp.bytes, stamp.changed);
  }
  return text;
}

SeesrOrigins origins_of(const SeesrConfig& config, const Arithmetic& arithmetic,
                        const TrainingWeights& weights) {
  const ModelFolder sd(config.sd), vae = sd.part("vae"), text = sd.part("text_encoder");
  const fs::path words = sd.part("tokenizer").path();
  std::vector<fs::path> ram{weights.find(config.ram)};
  if (!config.dape.empty()) ram.push_back(weights.find(config.dape));
  return {.vae = origin(arithmetic, {vae.weights_file(), vae.path() / "config.json"}),
          .text = origin(arithmetic, {text.weights_file(), text.path() / "config.json", words / "vocab.json",
                                      words / "merges.txt"}),
          .ram = origin(arithmetic, ram)};
}

void check_widths(const SeesrParts& parts) {
  const auto made = parts.ram->config().head.memory_features;
  const auto taken = parts.unet->config().encoder.image_features;
  if (made == taken) return;
  throw UsageError(fmt::format("RAM says {} numbers a token, and the U-Net looks at {}", made, taken));
}

/// A part's folder; `json` is its configuration.
void write_part(const fs::path& folder, const Json& json, StateDict tensors) {
  for (auto& [key, tensor] : tensors) tensor = tensor.to(at::kCPU, at::kFloat).contiguous();
  make_folders(folder);
  write_safetensors(folder / "diffusion_pytorch_model.safetensors", tensors, {{"format", "pt"}});
  write_whole(folder / "config.json", [&](std::ostream& out) { out << json.dump(2) << '\n'; });
}

}  // namespace

SeesrParts load_seesr_parts(const SeesrConfig& config, const Arithmetic& arithmetic,
                            const TrainingWeights& weights) {
  const SeesrFolders folders{.base = config.sd, .seesr = config.start};
  const Placement placement{.device = arithmetic.device, .type = arithmetic.type};
  outline_seesr_training(config);  // tells at once what does not go together
  const auto draws = weight_draws(config.seed);
  const auto unet = make_unet(config, draws);
  auto text = std::make_shared<SdText>(load_text_encoder(folders, placement));
  SeesrParts parts{
      .unet = unet,
      .controlnet = make_controlnet(config, *unet, draws),
      .vae = load_vae(folders, placement),
      .scheduler = load_scheduler(folders),
      .encode = [text = std::move(text)](const auto& captions) { return text->encode(captions); },
      .ram = load_ram(config, arithmetic, weights),
      .tags = {},
      .origins = origins_of(config, arithmetic, weights)};
  check_widths(parts);
  if (!config.captioned() || config.validation.wanted()) parts.tags = load_tags(weights, *parts.ram);
  return parts;
}

void set_frozen_precision(torch::nn::Module& network, at::ScalarType type) {
  if (type == at::kFloat) return;
  for (const auto& module : network.modules()) {
    auto* layer = dynamic_cast<WeightLayer*>(module.get());
    if (layer != nullptr && !layer->weight.requires_grad()) layer->set_precision(type);
  }
}

SeesrOutlines outline_seesr_training(const SeesrConfig& config) {
  const auto read = [&](const char* part, const auto& make) {
    return ModelFolder(config.sd).part(part).config(make);
  };
  const auto unet = std::make_shared<ConditionedUnet>(conditioned_unet_config(unet_json(config)));
  ControlNetConfig controlnet{.encoder = unet->config().encoder};
  if (!config.start.empty())
    controlnet = ModelFolder(config.start).part("controlnet").config(controlnet_config);
  SeesrOutlines outlines{
      .text_encoder = std::make_shared<SdTextEncoder>(read("text_encoder", sd_text_config)),
      .vae = std::make_shared<AutoencoderKl>(read("vae", autoencoder_kl_config)),
      .unet = unet,
      .controlnet = std::make_shared<ControlNet>(controlnet)};
  check_together(outlines);
  if (const auto factor = outlines.vae->factor(); config.data.crop % factor != 0)
    throw UsageError(fmt::format("data.crop: {} is no multiple of {}", config.data.crop, factor));
  return outlines;
}

void write_seesr(const fs::path& folder, const SeesrConfig& config, const StateDict& trained) {
  write_part(folder / "controlnet", controlnet_json(config), part_of(trained, "controlnet."));
  StateDict unet = first_unet(config).network([](StateDict weights) { return weights; });
  for (const auto& [key, tensor] : part_of(trained, "unet.")) unet[key] = tensor;
  write_part(folder / "unet", unet_json(config), std::move(unet));
}

}  // namespace sr
