#include "degrade/jpeg_codec.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>
#include <memory>
#include <turbojpeg.h>

#include "core/error.h"
#include "core/simd.h"

namespace sr {
namespace {

// --- libjpeg-turbo -------------------------------------------------------------------------------

struct Destroy {
  void operator()(void* handle) const { tjDestroy(handle); }
};
struct Free {
  void operator()(unsigned char* bytes) const { tjFree(bytes); }
};
using Handle = std::unique_ptr<void, Destroy>;

struct Size {
  std::int64_t height, width;
  std::int64_t pixels() const { return height * width; }
};

/// A JPEG file in the library's memory.
struct File {
  std::unique_ptr<unsigned char, Free> bytes;
  unsigned long length = 0;
};

void check(int status, const Handle& handle, const char* what) {
  // A warning (of a damaged file) comes with a picture, which OpenCV takes, too.
  if (status == 0 || (handle && tjGetErrorCode(handle.get()) == TJERR_WARNING)) return;
  throw Error(fmt::format("{}: {}", what, tjGetErrorStr2(handle.get())));
}

/// A coder and a decoder, which are slow to set up, for several pictures.
class Codec {
 public:
  /// Interleaved RGB to a file.
  File encode(const unsigned char* pixels, Size size, int quality) {
    if (!encoder_) encoder_.reset(tjInitCompress());
    unsigned char* bytes = nullptr;
    File file;
    const int status =
        tjCompress2(encoder_.get(), pixels, static_cast<int>(size.width), 0, static_cast<int>(size.height),
                    TJPF_RGB, &bytes, &file.length, TJSAMP_420, quality, TJFLAG_ACCURATEDCT);
    file.bytes.reset(bytes);
    check(status, encoder_, "a picture cannot be made a JPEG");
    return file;
  }

  Size read_size(const unsigned char* bytes, unsigned long length) {
    if (!decoder_) decoder_.reset(tjInitDecompress());
    int width = 0, height = 0, subsampling = 0, colours = 0;
    check(tjDecompressHeader3(decoder_.get(), bytes, length, &width, &height, &subsampling, &colours),
          decoder_, "a JPEG cannot be read");
    return {height, width};
  }

  /// To interleaved RGB, after `read_size`.
  void decode(const unsigned char* bytes, unsigned long length, Size size, unsigned char* pixels) {
    check(tjDecompress2(decoder_.get(), bytes, length, pixels, static_cast<int>(size.width), 0,
                        static_cast<int>(size.height), TJPF_RGB, TJFLAG_ACCURATEDCT),
          decoder_, "a JPEG cannot be read");
  }

 private:
  Handle encoder_, decoder_;
};

// --- pixels --------------------------------------------------------------------------------------

/// 0..255 of [0,1], clamped, halves to even; 0 of what is no number. 1.5 * 2^23 moves the whole number to the
/// sum's lowest bits, for which even SSE2 needs no function call.
[[gnu::always_inline]] inline unsigned char to_byte(float value, float high) {
  const float level = std::min(std::max(0.0f, value * 255), high);
  return static_cast<unsigned char>(std::bit_cast<std::uint32_t>(level + 0x1.8p23f));
}

/// Three planes in [0,1] to interleaved bytes. `high` is 255: a bound that the compiler knows gets branches
/// of its own, which vectors cannot have.
SR_VECTORISED void interleave(const float* red, const float* green, const float* blue, std::int64_t n,
                              float high, unsigned char* pixels) {
  for (std::int64_t i = 0; i < n; ++i) {
    pixels[3 * i] = to_byte(red[i], high);
    pixels[3 * i + 1] = to_byte(green[i], high);
    pixels[3 * i + 2] = to_byte(blue[i], high);
  }
}

SR_VECTORISED void deinterleave(const unsigned char* pixels, std::int64_t n, float* red, float* green,
                                float* blue) {
  for (std::int64_t i = 0; i < n; ++i) {
    red[i] = static_cast<float>(pixels[3 * i]) / 255;
    green[i] = static_cast<float>(pixels[3 * i + 1]) / 255;
    blue[i] = static_cast<float>(pixels[3 * i + 2]) / 255;
  }
}

/// Three planes through a file, to three planes.
void recode(const float* in, Size size, int quality, Codec& codec, std::vector<unsigned char>& pixels,
            float* out) {
  const std::int64_t n = size.pixels();
  interleave(in, in + n, in + 2 * n, n, 255, pixels.data());
  const File file = codec.encode(pixels.data(), size, quality);
  codec.read_size(file.bytes.get(), file.length);
  codec.decode(file.bytes.get(), file.length, size, pixels.data());
  deinterleave(pixels.data(), n, out, out + n, out + 2 * n);
}

void check_quality(int quality) {
  if (quality < 1 || quality > 100) throw Error(fmt::format("the JPEG quality {} is not in 1..100", quality));
}

}  // namespace

std::vector<std::byte> encode_jpeg(const Tensor& image, int quality) {
  check_quality(quality);
  if (image.dim() != 3 || image.size(0) != 3 || image.scalar_type() != at::kByte) {
    throw Error("only an 8-bit picture of three channels can be made a JPEG");
  }
  const Tensor pixels = image.cpu().permute({1, 2, 0}).contiguous();
  const File file = Codec().encode(pixels.data_ptr<unsigned char>(), {image.size(1), image.size(2)}, quality);
  const auto* const bytes = reinterpret_cast<const std::byte*>(file.bytes.get());
  return {bytes, bytes + file.length};
}

Tensor decode_jpeg(std::span<const std::byte> file) {
  Codec codec;
  const auto* const bytes = reinterpret_cast<const unsigned char*>(file.data());
  const Size size = codec.read_size(bytes, file.size());
  const Tensor pixels = at::empty({size.height, size.width, 3}, at::kByte);
  codec.decode(bytes, file.size(), size, pixels.data_ptr<unsigned char>());
  return pixels.permute({2, 0, 1}).contiguous();
}

Tensor codec_jpeg(const Tensor& images, int quality) {
  check_quality(quality);
  if (images.dim() != 4 || images.size(1) != 3) throw Error("JPEG works on pictures of three channels");
  const Tensor in = images.detach().to(at::kCPU, at::kFloat).contiguous();
  const Tensor out = at::empty_like(in);
  const Size size{in.size(2), in.size(3)};
  at::parallel_for(0, in.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    Codec codec;
    std::vector<unsigned char> pixels(static_cast<std::size_t>(3 * size.pixels()));
    for (std::int64_t n = begin; n < end; ++n) {
      const std::int64_t offset = n * 3 * size.pixels();
      recode(in.data_ptr<float>() + offset, size, quality, codec, pixels, out.data_ptr<float>() + offset);
    }
  });
  return out.to(images.device());
}

}  // namespace sr
