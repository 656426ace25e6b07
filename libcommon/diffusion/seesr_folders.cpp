#include "diffusion/seesr_folders.h"

#include <fmt/format.h>

#include "core/error.h"
#include "nets/fill_module.h"
#include "nets/network.h"

namespace sr {
namespace {

template <class Net>
std::shared_ptr<const Net> placed(std::shared_ptr<Net> network, const Placement& placement) {
  network->to(placement.device);
  set_precision(*network, placement.type);
  return network;
}

/// What holds a part: Stable Diffusion's folder, or SeeSR's.
ModelFolder part_folder(const SeesrFolders& folders, const std::string& part) {
  const bool own = part == "unet" || part == "controlnet";
  return ModelFolder(own ? folders.seesr : folders.base).part(part);
}

/// A network of `folder`'s configuration and weights.
template <class Net, class Config>
std::shared_ptr<Net> filled(const Config& config, const StateDict& weights) {
  auto network = std::make_shared<Net>(config);
  fill_module(*network, weights);
  return network;
}

std::shared_ptr<ConditionedUnet> load_unet(const SeesrFolders& folders) {
  const ModelFolder own = part_folder(folders, "unet");
  const auto config = own.config(conditioned_unet_config);
  return own.network([&](StateDict weights) {
    if (folders.turbo) {
      const auto take = [&](const StateDict& base) {
        for (const auto& [key, tensor] : base) weights[key] = tensor;
        return true;
      };
      ModelFolder(folders.base).part("unet").network(take);
    }
    return filled<ConditionedUnet>(config, weights);
  });
}

std::shared_ptr<ControlNet> load_controlnet(const SeesrFolders& folders) {
  const ModelFolder own = part_folder(folders, "controlnet");
  const auto config = own.config(controlnet_config);
  return own.network([&](const StateDict& weights) { return filled<ControlNet>(config, weights); });
}

std::shared_ptr<AutoencoderKl> load_vae(const SeesrFolders& folders) {
  const ModelFolder own = part_folder(folders, "vae");
  const auto config = own.config(autoencoder_kl_config);
  return own.network([&](const StateDict& weights) { return make_autoencoder_kl(config, weights); });
}

}  // namespace

int64_t check_seesr(const SeesrFolders& folders) {
  const auto outlines = outline_seesr(folders);
  for (const auto* part : {"unet", "controlnet", "vae", "text_encoder"})
    part_folder(folders, part).weights_file();
  if (folders.turbo) ModelFolder(folders.base).part("unet").weights_file();
  SdTokenizer(ModelFolder(folders.base).part("tokenizer").path());
  return outlines.unet->config().encoder.image_features;
}

SeesrOutlines outline_seesr(const SeesrFolders& folders) {
  const auto made = [&](const std::string& part, const auto& read, const auto& make) {
    return part_folder(folders, part).config([&](const nlohmann::json& json) { return make(read(json)); });
  };
  SeesrOutlines outlines{
      .text_encoder = made("text_encoder", sd_text_config,
                           [](const auto& config) { return std::make_shared<SdTextEncoder>(config); }),
      .vae = made("vae", autoencoder_kl_config,
                  [](const auto& config) { return std::make_shared<AutoencoderKl>(config); }),
      .unet = made("unet", conditioned_unet_config,
                   [](const auto& config) { return std::make_shared<ConditionedUnet>(config); }),
      .controlnet = made("controlnet", controlnet_config,
                         [](const auto& config) { return std::make_shared<ControlNet>(config); })};
  check_together(outlines);
  return outlines;
}

void check_together(const SeesrOutlines& outlines) {
  const auto require = [](const char* part, const char* what, int64_t given, int64_t wanted) {
    if (given != wanted)
      throw Error(
          fmt::format("the {} does not go with the U-Net: its {} is {}, not {}", part, what, given, wanted));
  };
  const auto& unet = outlines.unet->config().encoder;
  const auto& control = outlines.controlnet->config().encoder;
  require("autoencoder", "number of latent channels", outlines.vae->config().latents, unet.in_channels);
  require("autoencoder", "reduction", outlines.vae->factor(), 8);
  require("text encoder", "width", outlines.text_encoder->config().features, unet.text_features);
  require("ControlNet", "number of latent channels", control.in_channels, unet.in_channels);
  require("ControlNet", "width of image tokens", control.image_features, unet.image_features);
  require("ControlNet", "width of texts", control.text_features, unet.text_features);
  require("ControlNet", "number of levels", static_cast<int64_t>(control.levels()),
          static_cast<int64_t>(unet.levels()));
  require("ControlNet", "number of layers a level", control.layers, unet.layers);
  for (size_t i = 0; i < unet.levels(); ++i)
    require("ControlNet", "width", control.channels[i], unet.channels[i]);
  require("ControlNet", "picture's reduction",
          int64_t{1} << (outlines.controlnet->config().picture_features.size() - 1), 8);
}

Tensor SdText::encode(const std::vector<std::string>& prompts) const {
  const at::NoGradGuard no_grad;
  const auto device = encoder->parameters().front().device();
  return encoder->forward(tokenizer.tokenize(prompts).to(device)).to(at::kFloat);
}

SdText load_text_encoder(const SeesrFolders& folders, const Placement& placement) {
  const ModelFolder base(folders.base), own = base.part("text_encoder");
  SdTokenizer tokenizer(base.part("tokenizer").path());
  const auto config = own.config(sd_text_config);
  auto encoder = own.network([&](const StateDict& weights) { return make_sd_text_encoder(config, weights); });
  return {std::move(tokenizer), placed(std::move(encoder), placement)};
}

SeesrModel load_seesr(const SeesrFolders& folders, const Placement& placement) {
  return {.unet = placed(load_unet(folders), placement),
          .controlnet = placed(load_controlnet(folders), placement),
          .vae = placed(load_vae(folders), placement)};
}

std::shared_ptr<const AutoencoderKl> load_vae(const SeesrFolders& folders, const Placement& placement) {
  return placed(load_vae(folders), placement);
}

DdpmScheduler load_scheduler(const SeesrFolders& folders) {
  const auto config =
      ModelFolder(folders.base).part("scheduler").config(ddpm_config, "scheduler_config.json");
  return DdpmScheduler(config);
}

}  // namespace sr
