#include "training/seesr_preview.h"

#include "degrade/pil_resize.h"
#include "diffusion/colour_fix.h"
#include "diffusion/process_size.h"
#include "diffusion/prompt.h"
#include "tagging/ram_input.h"

namespace sr {

SeesrPreview::SeesrPreview(const SeesrConfig& config, const Arithmetic& arithmetic, const SeesrParts& parts)
    : config_(config),
      arithmetic_(arithmetic),
      parts_(parts),
      options_{.steps = config.validation_steps},
      sampler_(parts.scheduler, options_) {}

SeesrConditions SeesrPreview::conditions(const Tensor& lr) const {
  const auto& ram = *parts_.ram;
  const Tensor tokens = ram.embed(ram_input(lr.to(arithmetic_.device), ram.config().swin.image_size));
  const Tensor probabilities = tag_probabilities(ram.logits(tokens)).cpu();
  const auto tags = joined_tags(*parts_.tags, present_tags(probabilities[0], parts_.tags->thresholds));
  const auto prompt = seesr_prompt(tags, "", kSeesrAddedPrompt);
  return {.text = parts_.encode({std::string(kSeesrNegativePrompt), prompt}), .image_tokens = tokens};
}

SeesrNetworks SeesrPreview::networks(const SeesrConditions& conditions) const {
  auto networks = seesr_networks({parts_.unet, parts_.controlnet, parts_.vae}, conditions, {});
  networks.show = [show = networks.show, arithmetic = arithmetic_](const Tensor& picture) -> NoisePrediction {
    const Autocast autocast(arithmetic);  // the weights that learn are float32
    return [predict = show(picture), arithmetic](const Tensor& latents, int64_t timestep) {
      const Autocast as_in_training(arithmetic);
      return predict(latents, timestep);
    };
  };
  return networks;
}

Tensor SeesrPreview::of(const Tensor& lr, const std::string& item) const {
  const at::NoGradGuard no_grad;
  const auto sizes = process_sizes({lr.size(3), lr.size(2)}, config_.data.scale, config_.data.crop);
  const Tensor picture = process_picture(lr, sizes);
  const Tensor sampled =
      sampler_.run(picture.to(arithmetic_.device), networks(conditions(lr)), named_noise(config_.seed, item));
  const Tensor fixed = colour_fixed(sampled.cpu(), picture, ColourFix::adain);
  return pil_bicubic(fixed, sizes.output.height, sizes.output.width);
}

}  // namespace sr
