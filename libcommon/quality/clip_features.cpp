#include "quality/clip_features.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/feature_net.h"
#include "quality/image_check.h"

namespace sr {

ClipFeatures::ClipFeatures(const Clip& clip)
    : tower_(std::dynamic_pointer_cast<ModifiedResNet>(clip.visual)) {
  if (!tower_) throw Error("measures of quality need CLIP's RN50; these weights are of a vision transformer");
  tower_->fold();
}

std::vector<Tensor> ClipFeatures::features(const Tensor& image, const char* measure,
                                           std::size_t levels) const {
  check_image(image, measure);
  if (std::min(image.size(2), image.size(3)) < ModifiedResNet::least_side) {
    throw Error(fmt::format("{} needs {} pixels on the shorter side, not {}x{}", measure,
                            ModifiedResNet::least_side, image.size(3), image.size(2)));
  }
  return tower_->features(normalised(image, kClipNormalisation).contiguous(at::MemoryFormat::ChannelsLast),
                          levels);
}

ClipImage ClipFeatures::operator()(const Tensor& image, const char* measure) const {
  const auto found = features(image, measure, 4);
  return {{found[1], found[2], found[3]}, tower_->pooled(found[4], ModifiedResNet::Position::none)};
}

Tensor ClipFeatures::level(const Tensor& image, std::size_t level) const {
  return features(image, "CLIP", level).back();
}

}  // namespace sr
