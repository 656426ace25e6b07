#include "cli/measured_picture.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "image/decode.h"

namespace sr {

Tensor values_of(const Tensor& colours, Depth depth) {
  if (depth == Depth::u8) return colours.mul(255).round_().to(at::kByte);
  const auto exact = colours.to(at::kDouble);
  if (!std::isfinite(exact.sum().item<double>())) throw Error("it has samples that are no finite numbers");
  return depth == Depth::u16 ? (exact * 65535).round_().div_(257) : exact * 255;
}

Tensor load_values(const fs::path& path, std::int64_t max_pixels, Log& log) {
  const auto picture = open_picture(path, max_pixels);
  if (picture.alpha) log.warning(fmt::format("{}: transparency is left out", picture.name));
  return values_of(decode(picture, {AlphaPolicy::Kind::drop}), picture.depth);
}

Tensor image_of(const Tensor& values) {
  return values.to(at::kFloat).div(255).expand({3, -1, -1}).contiguous().unsqueeze(0);
}

Tensor without_border(const Tensor& values, std::int64_t border) {
  if (std::min(values.size(-1), values.size(-2)) <= 2 * border) {
    throw Error(
        fmt::format("a crop of {} leaves nothing of {}x{} pixels", border, values.size(-1), values.size(-2)));
  }
  return values.slice(-2, border, values.size(-2) - border).slice(-1, border, values.size(-1) - border);
}

}  // namespace sr
