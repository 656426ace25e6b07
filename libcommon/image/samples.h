#pragma once
// Samples as files hold them (interleaved integers or floats) <-> planes of float32.

#include <cstddef>

#include "core/torch.h"
#include "image/picture.h"

namespace sr {

/// sRGB's transfer curve (IEC 61966-2-1), continued beyond [0,1] and odd about 0.
float srgb_from_linear(float linear);
float linear_from_srgb(float encoded);

/// Interleaved samples of `rows` rows -> float32 [planes,rows,width], sRGB-encoded, [0,1].
/// Float samples are linear light but for alpha, the plane after the first 1 or 3.
Tensor planes_from_samples(const void* samples, Depth depth, int planes, int rows, int width);

/// One row of a strip ([planes,n,width], float32 in [0,1] or uint8) -> interleaved samples, clamped and
/// rounded.
void samples_from_row(const Tensor& strip, int64_t row, Depth depth, void* samples);

/// float32 [planes,n,width] -> uint8 of the same shape, clamped and rounded; any strides. In parallel.
void quantise(const Tensor& planes, const Tensor& bytes);

/// float32 in [0,1], clamped and rounded (halves to even) to the 8-bit grid, as a picture file would keep it.
Tensor rounded_to_8_bits(const Tensor& image);

/// Bytes of one sample.
size_t bytes_of(Depth depth);

}  // namespace sr
