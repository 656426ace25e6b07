#include "training/seesr_frozen.h"

#include "nets/lora.h"
#include "tagging/ram_input.h"
#include "training/seesr_loss.h"

namespace sr {

SeesrFrozen::SeesrFrozen(const SeesrConfig& config, const Arithmetic& arithmetic, const SeesrParts& parts)
    : device_(arithmetic.device),
      parts_(parts),
      moments_(config.cache, "moments", parts.origins.vae),
      texts_(config.cache, "texts", parts.origins.text),
      tokens_(config.cache, "image_tokens", parts.origins.ram),
      tags_(config.cache, "tags", parts.origins.ram) {}

Tensor SeesrFrozen::said(const TensorCache& cache, const Tensor& picture, bool repeats,
                         const std::function<Tensor(const Tensor&)>& reckon) const {
  const at::NoGradGuard no_grad;
  const auto reckoned = [&] { return reckon(picture.to(device_)).contiguous(); };  // as files have it
  return repeats ? cache.of(bytes_of(picture), reckoned).to(device_) : reckoned();
}

Tensor SeesrFrozen::latents(const Tensor& picture, const Tensor& code, bool repeats) const {
  const auto& vae = *parts_.vae;
  const auto moments = [&](const Tensor& hr) { return seesr_moments(vae, hr); };
  return seesr_latents(vae, said(moments_, picture, repeats, moments), code);
}

Tensor SeesrFrozen::text(const std::string& caption, bool repeats) const {
  const at::NoGradGuard no_grad;
  const auto reckoned = [&] { return parts_.encode({caption}).contiguous(); };
  return repeats ? texts_.of(caption, reckoned).to(device_) : reckoned();
}

Tensor SeesrFrozen::image_tokens(const Tensor& picture, bool repeats) const {
  const auto& ram = *parts_.ram;
  return said(tokens_, picture, repeats, [&](const Tensor& lr) {
    return ram.embed(ram_input(lr, ram.config().swin.image_size, RamResize::bicubic));
  });
}

Tensor SeesrFrozen::probabilities(const Tensor& picture) const {
  auto& ram = *parts_.ram;
  mute_lora(ram, true);
  const Tensor logits = ram.logits(ram.embed(ram_input(picture, ram.config().swin.image_size)));
  mute_lora(ram, false);
  return tag_probabilities(logits);
}

std::string SeesrFrozen::caption(const Tensor& picture, bool repeats) const {
  const auto seen = said(tags_, picture, repeats, [&](const Tensor& hr) { return probabilities(hr); });
  return joined_tags(*parts_.tags, present_tags(seen.cpu()[0], parts_.tags->thresholds)) + ",";
}

}  // namespace sr
