#include "diffusion/seesr_networks.h"

namespace sr {
namespace {

/// The networks with all that they look at, for every tile and step.
class Shower {
 public:
  Shower(const SeesrModel& model, const SeesrConditions& conditions)
      : unet_(model.unet),
        controlnet_(model.controlnet),
        unet_sees_(unet_->prepare(conditions.text, conditions.image_tokens)),
        controlnet_sees_(controlnet_->prepare(conditions.text, conditions.image_tokens)),
        prompts_(conditions.text.size(0)),
        strength_(conditions.strength) {}

  Tensor embed(const Tensor& picture) const { return controlnet_->embed(picture); }

  Tensor predict(const Tensor& latents, int64_t timestep, const Tensor& embedded) const {
    const Tensor batch = latents.expand({prompts_, -1, -1, -1});
    const Tensor times = at::full({1}, timestep, latents.options().dtype(at::kLong));
    const UnetMaps added = controlnet_->forward(batch, times, controlnet_sees_, embedded, strength_);
    return unet_->forward(batch, times, unet_sees_, added);
  }

 private:
  std::shared_ptr<const ConditionedUnet> unet_;
  std::shared_ptr<const ControlNet> controlnet_;
  UnetConditions unet_sees_, controlnet_sees_;
  int64_t prompts_;
  double strength_;
};

}  // namespace

SeesrNetworks seesr_networks(const SeesrModel& model, const SeesrConditions& conditions,
                             const TiledVaeOptions& tiling) {
  const at::NoGradGuard no_grad;
  SeesrNetworks networks;
  networks.encode = [vae = model.vae, tiling](const Tensor& picture, const Tensor& noise) {
    return encode_tiled(*vae, picture, tiling).sample(noise);
  };
  networks.decode = [vae = model.vae, tiling](const Tensor& latents) {
    return decode_tiled(*vae, latents, tiling);
  };
  networks.show =
      [shower = std::make_shared<const Shower>(model, conditions)](const Tensor& picture) -> NoisePrediction {
    return [shower, embedded = shower->embed(picture)](const Tensor& latents, int64_t timestep) {
      return shower->predict(latents, timestep, embedded);
    };
  };
  networks.scale = model.vae->config().scale;
  return networks;
}

}  // namespace sr
