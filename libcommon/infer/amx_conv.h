#pragma once
// Convolution on a processor's matrix tiles (Intel AMX, bf16 in, fp32 sums). This pair of files knows nothing
// of LibTorch and little of the standard library: its source is compiled for instructions that most machines
// lack, and an inline function of anyone else's compiled there could end up in the whole program.
//
// Activations lie in planes of pixels of 64 bytes, one cache line each: 32 channels of bf16, or 16 of fp32.
// So 16 neighbouring pixels are a tile as they lie in memory, for every tap of the kernel (implicit GEMM,
// nothing is unfolded), and a network that concatenates features lists one more plane instead of copying.

#include <cstdint>

namespace sr::amx {

inline constexpr int kTilePixels = 16;      ///< pixels of a row that one tile holds
inline constexpr int kInputChannels = 32;   ///< channels of a bf16 plane: the depth of one tile product
inline constexpr int kOutputChannels = 16;  ///< channels of an fp32 plane: the breadth of one tile product
inline constexpr int kBandRows = 6;  ///< rows done together: 6 sums, 1 activation and 1 weight tile are all 8

/// One pixel of a plane.
struct alignas(64) Pixel {
  std::uint8_t bytes[64];
};

/// Where one row of one block of 16 output channels comes out, and what is added to it on the way:
/// y = outer_scale * (scale * activation(conv + bias) + residual) + outer_residual. Null: that part is left
/// out. All point at the first pixel of the row; outputs step by Band::output_step pixels.
struct OutputRow {
  void* bf16 = nullptr;  ///< at the first of the 16 channels within the pixel (its first or its second half)
  float* fp32 = nullptr;
  const float* residual = nullptr;
  const float* outer_residual = nullptr;
};

/// A few rows of a convolution: all output channels over the whole width.
struct Band {
  int rows = 0;         ///< 1..kBandRows
  int width = 0;        ///< pixels; outputs beyond are not stored
  int chunks = 0;       ///< input planes, of 32 channels
  int blocks = 0;       ///< of 16 output channels
  int kernel_rows = 3;  ///< taps down and across
  int kernel_columns = 3;
  int output_step = 1;
  float scale = 1, outer_scale = 1;
  /// [chunks][rows + kernel_rows - 1]: the pixel under the leftmost tap of the first output. Reading runs on
  /// to the next multiple of 16 pixels plus kernel_columns - 1.
  const Pixel* const* input = nullptr;
  const void* weights =
      nullptr;                  ///< bf16 [blocks][chunks][kernel rows][kernel columns][16][16][2], see pack()
  const float* bias = nullptr;  ///< [blocks * 16], 64-byte aligned
  const float* slope = nullptr;  ///< [blocks * 16], 64-byte aligned: what negative values are multiplied by
  const OutputRow* output = nullptr;  ///< [blocks][rows]
};

/// Whether this build, processor and operating system can do it; asks the system for the tiles' state once.
bool available();

/// The calling thread's tile registers, set up for convolve() for as long as this lives.
class Tiles {
 public:
  Tiles();
  ~Tiles();
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

/// Computes the band. The calling thread holds Tiles.
void convolve(const Band& band);

}  // namespace sr::amx
