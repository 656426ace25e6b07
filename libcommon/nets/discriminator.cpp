#include "nets/discriminator.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <vector>

#include "core/error.h"
#include "nets/draw.h"
#include "nets/nlayer_disc.h"
#include "nets/patchgan.h"
#include "nets/sed_p.h"
#include "nets/sed_u.h"
#include "nets/sed_v.h"
#include "nets/unet_disc.h"
#include "nets/vgg_disc.h"

namespace sr {

void Discriminator::draw(const at::Generator& generator) { draw_defaults(*this, generator); }

void Discriminator::check_image(const Tensor& image) const {
  if (image.dim() != 4 || image.size(1) != config_.in_channels) {
    throw Error(fmt::format("the discriminator takes images [N,{},H,W], not [{}]", config_.in_channels,
                            fmt::join(image.sizes(), ",")));
  }
}

void Discriminator::check_inputs(const Tensor& image, const Tensor& semantics) const {
  check_image(image);
  if (!semantics.defined()) throw Error("the discriminator of SeD needs semantics, and there are none");
  const int64_t channels = config_.fusion.channels, stride = config_.fusion.stride;
  const std::vector<int64_t> wanted{image.size(0), channels, image.size(2) / stride, image.size(3) / stride};
  const bool whole = image.size(2) % stride == 0 && image.size(3) % stride == 0;
  if (whole && semantics.sizes() == wanted) return;
  throw Error(fmt::format(
      "SeD takes images whose sides are {} times the semantics', which have {} channels: images [{}] and "
      "semantics [{}] don't fit",
      stride, channels, fmt::join(image.sizes(), ","), fmt::join(semantics.sizes(), ",")));
}

std::shared_ptr<Discriminator> make_discriminator(const DiscriminatorConfig& config) {
  using Kind = DiscriminatorConfig::Kind;
  switch (config.kind) {
    case Kind::unet: return std::make_shared<UNetDiscriminator>(config);
    case Kind::vgg: return std::make_shared<VGGDiscriminator>(config);
    case Kind::patchgan: return std::make_shared<PatchGAN>(config);
    case Kind::nlayer: return std::make_shared<NLayerDiscriminator>(config);
    case Kind::sed_p: return std::make_shared<SeDP>(config);
    case Kind::sed_u: return std::make_shared<SeDU>(config);
    case Kind::sed_v: break;
  }
  return std::make_shared<SeDV>(config);
}

}  // namespace sr
