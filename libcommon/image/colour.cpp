#include "image/colour.h"

#include <array>
#include <fmt/format.h>
#include <vector>

#include "core/error.h"

namespace sr {
namespace {

/// One output channel: dot(weights, channels) + offset. Channels are in [0, 1], the sum in 0..255.
struct Channel {
  std::array<double, 3> weights;
  double offset;
};
using Transform = std::vector<Channel>;

const Transform& ycbcr_transform() {
  static const Transform transform = {
      {{65.481, 128.553, 24.966}, 16}, {{-37.797, -74.203, 112.0}, 128}, {{112.0, -93.786, -18.214}, 128}};
  return transform;
}

/// The reference's constants are for channels of 0..255; 255 * 255 brings them to ours.
const Transform& rgb_transform() {
  static constexpr double unit = 255.0 * 255.0;
  static const Transform transform = {{{0.00456621 * unit, 0, 0.00625893 * unit}, -222.921},
                                      {{0.00456621 * unit, -0.00153632 * unit, -0.00318811 * unit}, 135.576},
                                      {{0.00456621 * unit, 0.00791071 * unit, 0}, -276.836}};
  return transform;
}

const Transform& luma_transform() {
  static const Transform transform = {ycbcr_transform().front()};
  return transform;
}

const Transform& full_range_transform() {
  static const Transform transform = {{{0.299 * 255, 0.587 * 255, 0.114 * 255}, 0}};
  return transform;
}

template <typename In, typename Out>
void transform_plane(const Channel& channel, double divisor, const In* in, std::int64_t pixels, Out* out) {
  at::parallel_for(0, pixels, 1 << 15, [=](std::int64_t begin, std::int64_t end) {
    const auto [r, g, b] = channel.weights;
    for (std::int64_t i = begin; i < end; ++i) {
      const double sum = r * in[i] + g * in[i + pixels] + b * in[i + 2 * pixels] + channel.offset;
      out[i] = static_cast<Out>(sum / divisor);
    }
  });
}

/// [..., 3, H, W] of In to [..., channels, H, W] of Out.
template <typename In, typename Out>
Tensor transform_images(const Tensor& images, const Transform& transform, double divisor) {
  const Tensor input = images.contiguous();
  std::vector<std::int64_t> shape = input.sizes().vec();
  shape[shape.size() - 3] = static_cast<std::int64_t>(transform.size());
  Tensor output = at::empty(shape, c10::CppTypeToScalarType<Out>::value);
  const std::int64_t pixels = input.size(-1) * input.size(-2);
  const std::int64_t count = pixels == 0 ? 0 : input.numel() / (3 * pixels);
  Out* out = output.data_ptr<Out>();
  for (std::int64_t i = 0; i < count; ++i) {
    for (const Channel& channel : transform) {
      transform_plane(channel, divisor, input.data_ptr<In>() + i * 3 * pixels, pixels, out);
      out += pixels;
    }
  }
  return output;
}

void check_colour(const Tensor& image) {
  if (image.dim() < 3 || image.size(-3) != 3 || !image.device().is_cpu()) {
    throw Error("a colour transform needs an image of three channels [..., 3, H, W] in the CPU's memory");
  }
}

Tensor apply(const Transform& transform, const Tensor& image) {
  check_colour(image);
  switch (image.scalar_type()) {
    case at::kByte:
      return transform_images<float, double>(image.to(at::kFloat).div_(255), transform, 1)
          .round_()
          .clamp_(0, 255)
          .to(at::kByte);
    case at::kFloat: return transform_images<float, float>(image, transform, 255);
    case at::kDouble: return transform_images<double, double>(image, transform, 255);
    default: throw Error("a colour transform needs an image of uint8, float32 or float64");
  }
}

}  // namespace

Tensor rgb_to_ycbcr(const Tensor& rgb) { return apply(ycbcr_transform(), rgb); }

Tensor ycbcr_to_rgb(const Tensor& ycbcr) { return apply(rgb_transform(), ycbcr); }

Tensor luma(const Tensor& rgb) { return apply(luma_transform(), rgb); }

Tensor luma_255(const Tensor& image) {
  Tensor values = image.to(at::kFloat);
  if (values.dim() >= 3 && values.size(-3) == 1) return values;
  // Rounded to float32 in [0, 1] and scaled in float32: the reference's order, which its last digits show.
  return luma(values.div(255)).mul_(255);
}

Tensor luma_full_range(const Tensor& rgb) { return apply(full_range_transform(), rgb); }

}  // namespace sr
