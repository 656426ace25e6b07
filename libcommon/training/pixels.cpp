#include "training/pixels.h"

#include <fmt/format.h>

#include "core/error.h"
#include "image/decode.h"
#include "image/samples.h"

namespace sr {

PictureSize read_size(const fs::path& file) {
  const auto picture = open_picture(file);
  return {picture.height(), picture.width()};
}

Pixels decode_pixels(const fs::path& file) {
  const auto picture = open_picture(file);
  const auto planes = decode(picture, {AlphaPolicy::Kind::drop}).expand({3, -1, -1});
  const PictureSize size{planes.size(1), planes.size(2)};
  const auto samples = std::make_shared<const Tensor>(at::empty({size.height, size.width, 3}, at::kByte));
  quantise(planes, samples->permute({2, 0, 1}));
  const std::span<const std::uint8_t> bytes(samples->data_ptr<std::uint8_t>(),
                                            static_cast<size_t>(size.bytes()));
  return {size, bytes, samples};
}

Tensor planes_of(const Pixels& pixels, const Rectangle& part) {
  const auto [height, width] = pixels.size;
  const bool inside = part.top >= 0 && part.left >= 0 && part.height > 0 && part.width > 0 &&
                      part.top <= height - part.height && part.left <= width - part.width;
  if (!inside) {
    throw Error(fmt::format("{}x{} pixels at {},{} reach beyond a picture of {}x{}", part.width, part.height,
                            part.left, part.top, width, height));
  }
  auto planes = at::empty({3, part.height, part.width}, at::kFloat);
  const auto plane = part.height * part.width;
  for (std::int64_t y = 0; y < part.height; y++) {
    const auto* from = pixels.samples.data() + ((part.top + y) * width + part.left) * 3;
    float* to = planes.data_ptr<float>() + y * part.width;
    for (std::int64_t x = 0; x < part.width; x++) {
      to[x] = static_cast<float>(from[3 * x]) / 255.F;
      to[plane + x] = static_cast<float>(from[3 * x + 1]) / 255.F;
      to[2 * plane + x] = static_cast<float>(from[3 * x + 2]) / 255.F;
    }
  }
  return planes;
}

}  // namespace sr
