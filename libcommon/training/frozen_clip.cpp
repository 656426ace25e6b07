#include "training/frozen_clip.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/feature_net.h"

namespace sr {

FrozenClip::FrozenClip(const Clip& clip)
    : tower_(std::dynamic_pointer_cast<ModifiedResNet>(clip.visual)), scale_(clip.scale()) {
  if (!tower_) throw Error("SFD needs CLIP's RN50; these weights are of a vision transformer");
  tower_->fold();
  for (auto& parameter : tower_->parameters()) parameter.requires_grad_(false);
}

std::array<int64_t, 3> FrozenClip::channels() const {
  const auto& config = tower_->config();
  return {config.channels(0), config.channels(1), config.channels(2)};
}

ClipImage FrozenClip::operator()(const Tensor& images) const {
  if (std::min(images.size(2), images.size(3)) < ModifiedResNet::least_side) {
    throw Error(fmt::format("SFD needs crops of {} pixels a side or more, not {}x{}",
                            ModifiedResNet::least_side, images.size(3), images.size(2)));
  }
  const Tensor pixels = normalised(images.to(at::kFloat), kClipNormalisation);
  const auto found = tower_->features(pixels.contiguous(at::MemoryFormat::ChannelsLast));
  return {{found[1], found[2], found[3]}, tower_->pooled(found[4], ModifiedResNet::Position::none)};
}

}  // namespace sr
