#pragma once
// JPEG by libjpeg-turbo, as OpenCV's imencode and imdecode call it: baseline, 4:2:0, accurate DCT, fancy
// up-sampling.

#include <cstddef>
#include <span>
#include <vector>

#include "core/torch.h"

namespace sr {

/// `image` uint8 [3,H,W] RGB to a JPEG file's bytes, quality 1..100; the same bytes as
/// cv2.imencode('.jpg', ..., [cv2.IMWRITE_JPEG_QUALITY, quality]) with the same libjpeg-turbo.
std::vector<std::byte> encode_jpeg(const Tensor& image, int quality);
/// The inverse: uint8 [3,H,W] RGB.
Tensor decode_jpeg(std::span<const std::byte> file);

/// `images` [N,3,H,W] float32 through both: clamped, rounded to 8 bits half to even, and back in [0,1].
Tensor codec_jpeg(const Tensor& images, int quality);

}  // namespace sr
