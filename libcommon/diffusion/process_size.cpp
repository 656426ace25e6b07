#include "diffusion/process_size.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "degrade/pil_resize.h"

namespace sr {
namespace {

constexpr int64_t kMultiple = 8;  // of the latents' cells

PixelSize enlarged(const PixelSize& original, int64_t shortest) {
  const int64_t shorter = std::min(original.width, original.height);
  if (shorter >= shortest) return original;
  const double scale = static_cast<double>(shortest) / static_cast<double>(shorter);
  const auto scaled = [scale](int64_t side) {
    return static_cast<int64_t>(scale * static_cast<double>(side));
  };
  return {scaled(original.width), scaled(original.height)};
}

PixelSize times(const PixelSize& size, int64_t factor) { return {size.width * factor, size.height * factor}; }

}  // namespace

ProcessSizes process_sizes(const PixelSize& original, int64_t upscale, int64_t process_size) {
  if (upscale < 1) throw UsageError(fmt::format("pictures can't be enlarged {} times", upscale));
  if (process_size < 1)
    throw UsageError(fmt::format("pictures can't be processed at {} pixels", process_size));
  if (std::min(original.width, original.height) < 1) throw Error("an empty picture can't be enlarged");
  ProcessSizes sizes;
  sizes.enlarged = enlarged(original, process_size / upscale);
  sizes.scaled = times(sizes.enlarged, upscale);
  sizes.process = times({sizes.scaled.width / kMultiple, sizes.scaled.height / kMultiple}, kMultiple);
  sizes.output = times(original, upscale);
  if (std::min(sizes.process.width, sizes.process.height) == 0)
    throw Error(fmt::format("{}x{} pixels are too few to work at; a side needs {}", sizes.scaled.width,
                            sizes.scaled.height, kMultiple));
  return sizes;
}

Tensor process_picture(const Tensor& picture, const ProcessSizes& sizes) {
  Tensor resized = picture;
  for (const PixelSize& size : {sizes.enlarged, sizes.scaled, sizes.process})
    resized = pil_bicubic(resized, size.height, size.width);
  return resized;
}

}  // namespace sr
