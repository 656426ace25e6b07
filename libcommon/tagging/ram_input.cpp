#include "tagging/ram_input.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "nets/feature_net.h"

namespace sr {

Tensor ram_input(const Tensor& images, int64_t side, RamResize resize) {
  if (images.dim() != 4 || images.size(1) != 3 || images.numel() == 0)
    throw Error(fmt::format("RAM looks at RGB images [N,3,H,W], not [{}]", fmt::join(images.sizes(), ",")));
  const std::array<int64_t, 2> size{side, side};
  const Tensor resized = resize == RamResize::bilinear
                             ? at::upsample_bilinear2d(images, size, /*align_corners=*/false)
                             : at::upsample_bicubic2d(images, size, /*align_corners=*/false).clamp_(0, 1);
  return normalised(resized, kImagenetNormalisation);
}

}  // namespace sr
