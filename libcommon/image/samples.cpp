#include "image/samples.h"

#include <algorithm>
#include <cmath>

namespace sr {
namespace {

constexpr bool is_alpha(int64_t plane, int64_t planes) { return planes % 2 == 0 && plane == planes - 1; }

template <class Sample, class Decode>
void split(const Sample* samples, int planes, int plane, int64_t count, float* out, Decode decode) {
  for (int64_t i = 0; i < count; i++) out[i] = decode(samples[i * planes + plane]);
}

/// One plane of a row, whatever its stride -> every `planes`-th sample.
template <class Value, class Sample, class Encode>
void join(const Value* row, int64_t stride, int64_t width, int64_t planes, Sample* samples, Encode encode) {
  for (int64_t x = 0; x < width; x++) samples[x * planes] = encode(row[x * stride]);
}

/// Clamped and rounded, halves to even as NumPy does; NaN becomes 0.
template <class Sample>
Sample rounded(float value) {
  constexpr auto top = static_cast<float>(std::numeric_limits<Sample>::max());
  constexpr float shift =
      12582912;  // 1.5 * 2^23: adding it leaves no bits below 1; vectorises without SSE4.1
  const float scaled = value * top;
  return static_cast<Sample>((scaled > 0 ? std::min(scaled, top) : 0.F) + shift - shift);
}

}  // namespace

float srgb_from_linear(float linear) {
  const float size = std::abs(linear);
  const float encoded = size <= 0.0031308F ? 12.92F * size : 1.055F * std::pow(size, 1 / 2.4F) - 0.055F;
  return std::copysign(encoded, linear);
}

float linear_from_srgb(float encoded) {
  const float size = std::abs(encoded);
  const float linear = size <= 0.04045F ? size / 12.92F : std::pow((size + 0.055F) / 1.055F, 2.4F);
  return std::copysign(linear, encoded);
}

size_t bytes_of(Depth depth) {
  return depth == Depth::u8 ? 1 : depth == Depth::u16 ? sizeof(uint16_t) : sizeof(float);
}

Tensor planes_from_samples(const void* samples, Depth depth, int planes, int rows, int width) {
  auto tensor = torch::empty({planes, rows, width});
  const int64_t count = int64_t{rows} * width;
  for (int plane = 0; plane < planes; plane++) {
    float* out = tensor.data_ptr<float>() + plane * count;
    if (depth == Depth::u8) {
      split(static_cast<const uint8_t*>(samples), planes, plane, count, out,
            [](uint8_t v) { return static_cast<float>(v) / 255.F; });
    } else if (depth == Depth::u16) {
      split(static_cast<const uint16_t*>(samples), planes, plane, count, out,
            [](uint16_t v) { return static_cast<float>(v) / 65535.F; });
    } else if (is_alpha(plane, planes)) {
      split(static_cast<const float*>(samples), planes, plane, count, out, [](float v) { return v; });
    } else {
      split(static_cast<const float*>(samples), planes, plane, count, out, srgb_from_linear);
    }
  }
  return tensor;
}

void samples_from_row(const Tensor& strip, int64_t row, Depth depth, void* samples) {
  const int64_t planes = strip.size(0), width = strip.size(2), stride = strip.stride(2);
  for (int64_t plane = 0; plane < planes; plane++) {
    const int64_t offset = plane * strip.stride(0) + row * strip.stride(1);
    if (strip.scalar_type() == at::kByte) {
      join(strip.data_ptr<uint8_t>() + offset, stride, width, planes, static_cast<uint8_t*>(samples) + plane,
           [](uint8_t v) { return v; });
      continue;
    }
    const float* values = strip.data_ptr<float>() + offset;
    if (depth == Depth::u8) {
      join(values, stride, width, planes, static_cast<uint8_t*>(samples) + plane, rounded<uint8_t>);
    } else if (depth == Depth::u16) {
      join(values, stride, width, planes, static_cast<uint16_t*>(samples) + plane, rounded<uint16_t>);
    } else if (is_alpha(plane, planes)) {
      join(values, stride, width, planes, static_cast<float*>(samples) + plane, [](float v) { return v; });
    } else {
      join(values, stride, width, planes, static_cast<float*>(samples) + plane, linear_from_srgb);
    }
  }
}

void quantise(const Tensor& planes, const Tensor& bytes) {
  const int64_t width = planes.size(2);
  at::parallel_for(0, planes.size(1), 8, [&](int64_t begin, int64_t end) {
    for (int64_t y = begin; y < end; y++) {
      for (int64_t plane = 0; plane < planes.size(0); plane++) {
        const float* from = planes.data_ptr<float>() + plane * planes.stride(0) + y * planes.stride(1);
        uint8_t* to = bytes.data_ptr<uint8_t>() + plane * bytes.stride(0) + y * bytes.stride(1);
        const int64_t in = planes.stride(2), out = bytes.stride(2);
        for (int64_t x = 0; x < width; x++) to[x * out] = rounded<uint8_t>(from[x * in]);
      }
    }
  });
}

Tensor rounded_to_8_bits(const Tensor& image) { return (image * 255).round_().clamp_(0, 255).div_(255); }

}  // namespace sr
