#include "nets/controlnet.h"

#include "nets/draw.h"
#include "nets/fill_module.h"

namespace sr {

PictureEncoder::PictureEncoder(int64_t in, const std::vector<int64_t>& features, int64_t out)
    : conv_in_(register_module("conv_in", std::make_shared<Conv2d>(in, features.front()))),
      conv_out_(register_module("conv_out", std::make_shared<Conv2d>(features.back(), out))) {
  for (size_t i = 0; i + 1 < features.size(); ++i) {
    blocks_.push_back(std::make_shared<Conv2d>(features[i], features[i]));
    blocks_.push_back(std::make_shared<Conv2d>(features[i], features[i + 1], ConvOptions{.stride = 2}));
  }
  register_list(*this, "blocks", blocks_);
}

Tensor PictureEncoder::forward(const Tensor& picture) const {
  Tensor x = at::silu(conv_in_->forward(picture));
  for (const auto& conv : blocks_) x = at::silu(conv->forward(x));
  return conv_out_->forward(x).to(at::kFloat);
}

ControlNet::ControlNet(const ControlNetConfig& config)
    : UnetEncoder("ControlNet", config.encoder),
      config_(config),
      controlnet_cond_embedding_(
          register_module("controlnet_cond_embedding",
                          std::make_shared<PictureEncoder>(config.picture_channels, config.picture_features,
                                                           config.encoder.channels.front()))) {
  for (const int64_t channels : skip_channels(config.encoder))
    controlnet_down_blocks_.push_back(std::make_shared<Conv2d>(channels, channels, pointwise()));
  register_list(*this, "controlnet_down_blocks", controlnet_down_blocks_);
  const int64_t last = config.encoder.channels.back();
  controlnet_mid_block_ =
      register_module("controlnet_mid_block", std::make_shared<Conv2d>(last, last, pointwise()));
}

UnetMaps ControlNet::forward(const Tensor& latents, const Tensor& timesteps, const UnetConditions& conditions,
                             const Tensor& embedded, double strength) const {
  UnetMaps maps = encode(enter(latents) + embedded, embed_time(timesteps), conditions);
  const auto answer = [&](const Conv2d& conv, const Tensor& map) {
    return conv.forward(map).to(at::kFloat) * strength;
  };
  for (size_t i = 0; i < maps.skips.size(); ++i)
    maps.skips[i] = answer(*controlnet_down_blocks_[i], maps.skips[i]);
  maps.middle = answer(*controlnet_mid_block_, maps.middle);
  return maps;
}

std::shared_ptr<ControlNet> controlnet_of(const ConditionedUnet& unet, const at::Generator& generator) {
  auto controlnet = std::make_shared<ControlNet>(ControlNetConfig{.encoder = unet.config().encoder});
  draw_defaults(*controlnet->named_children()["controlnet_cond_embedding"], generator);
  const StateDict from = tensors_of(unet);
  const at::NoGradGuard no_grad;
  for (const auto& [key, tensor] : tensors_of(*controlnet)) {
    if (!key.starts_with("controlnet_")) tensor.copy_(from.at(key));
    if (key.starts_with("controlnet_cond_embedding.conv_out.")) tensor.zero_();
  }
  return controlnet;
}

}  // namespace sr
