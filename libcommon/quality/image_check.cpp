#include "quality/image_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace sr {

void check_image(const Tensor& image, const char* measure) {
  const bool shaped = image.dim() == 4 && image.size(0) == 1 && image.size(1) == 3 && image.numel() > 0;
  if (!shaped || image.scalar_type() != at::kFloat) {
    throw Error(fmt::format("{} takes one RGB image [1,3,H,W] of float32, not [{}] of {}", measure,
                            fmt::join(image.sizes(), ","), c10::toString(image.scalar_type())));
  }
  if (!image.isfinite().all().item<bool>())
    throw Error(fmt::format("{}: the image holds values that are no numbers", measure));
}

void check_pair(const Tensor& image, const Tensor& reference, const char* measure) {
  check_image(image, measure);
  check_image(reference, measure);
  if (image.sizes() != reference.sizes()) {
    throw Error(fmt::format("{} compares images of one size, not {}x{} with {}x{}", measure, image.size(3),
                            image.size(2), reference.size(3), reference.size(2)));
  }
}

}  // namespace sr
