#pragma once
// Convolutions of stride 1 that keep the image's size, cut into tiles of 4x4 outputs, as the passes over
// memory that Winograd's algorithm takes: to points, products at each point, back; and the same for
// gradients. Compiled for each kind of processor. Nothing here allocates or starts threads.
//
// "Points" are what each tile's channels are at each point: side^2 planes, one after the other, of
// [tiles][channels].

#include <cstdint>

namespace sr::winograd {

inline constexpr std::int64_t kColumns = 32;  ///< output channels whose weights lie together

/// Images as they lie in memory: [N,H,W,channels] of float32 or bfloat16.
struct Images {
  void* data = nullptr;
  bool half = false;          ///< bfloat16
  std::int64_t channels = 0;  ///< a multiple of 16
};

/// A batch of images cut into tiles. Tiles go from left to right, down, and from image to image.
struct Grid {
  Grid(std::int64_t images, std::int64_t height, std::int64_t width, std::int64_t kernel);

  std::int64_t height, width;
  std::int64_t side;                  ///< of a tile of inputs
  std::int64_t margin;                ///< inputs before the first output
  std::int64_t rows, columns, count;  ///< of tiles: in an image, and in all
};

/// Floats (of four bytes, in any form) from one point's plane to the next. The spare ones keep a tile's
/// points out of each other's place in cache.
inline std::int64_t plane_size(std::int64_t tiles, std::int64_t channels) { return tiles * channels + 16; }

/// How points lie: bfloat16 (where the processor multiplies it: has_bfloat16()) if products are to sum two at
/// once.
enum class Form {
  floats,
  halves,      ///< bfloat16: products that sum over the channels
  tile_pairs,  ///< bfloat16 [tiles / 2][channels][2]: products that sum over the tiles; a last tile's other
               ///< is 0
};

/// Consecutive things.
struct Range {
  std::int64_t first = 0, last = 0;
  std::int64_t count() const { return last - first; }
};

/// Tiles of inputs to points.
struct Transform {
  const Grid* grid;
  std::int64_t first = 0;  ///< tile of the grid that is the first of `points`
  std::int64_t tiles = 0;  ///< in `points`
  Images images;
  const float* slopes;  ///< [channels], what negative values are multiplied by first; or null
  const void* zeros;    ///< a pixel beyond the border
  float* points;
  Form form = Form::floats;  ///< others for bfloat16 images and 3x3 kernels, all tiles at once
};
void transform(const Transform& job, Range tiles);

/// At each point, tiles by input channels times input by output channels.
struct Products {
  std::int64_t tiles = 0;
  const float* inputs;  ///< points
  std::int64_t in;
  const void* weight;  ///< [side^2][out / 32][in][32]; with halves bfloat16 [side^2][out / 32][in / 2][32][2]
  std::int64_t out;    ///< a multiple of 32
  float* products;     ///< points, floats
  bool halves = false;  ///< inputs are
};
/// `items`: pairs of a point and a block of 32 output channels, of side^2 * out / 32.
void multiply(const Products& job, Range items);

/// Points to tiles of outputs, with what follows the convolution.
struct Finish {
  const Grid* grid;
  std::int64_t first = 0, tiles = 0;  ///< as above
  const float* products;              ///< points
  std::int64_t channels;              ///< of `products`; the outputs may have fewer
  Images outputs;
  const float* bias = nullptr;  ///< [channels], or null
  bool relu = false;            ///< negative outputs become 0
  // Where the outputs are gradients for PReLU's answer:
  const float* slopes = nullptr;  ///< [channels], or null
  const void* before = nullptr;   ///< PReLU's inputs, as the outputs lie
  float* slope_sums = nullptr;    ///< [channels]: the slopes' gradients are added
};
void finish(const Finish& job, Range tiles);

/// Tiles of outputs' gradients to points.
struct Spread {
  const Grid* grid;
  std::int64_t first = 0, tiles = 0;  ///< as above
  Images gradients;
  const void* zeros;  ///< as above
  float* points;
  float* sums;               ///< [channels]: the gradients are added, which is the bias's
  Form form = Form::floats;  ///< or tile_pairs, of bfloat16 images
};
void spread(const Spread& job);

/// At each point of a 3x3 kernel, the sum over the tiles of inputs times gradients.
struct Correlate {
  std::int64_t tiles = 0;
  const float* inputs;  ///< points
  std::int64_t in;
  const float* gradients;  ///< points
  std::int64_t out;
  float* sums;         ///< [side^2][in][out]: added to
  bool pairs = false;  ///< both are tile_pairs, and `out` a multiple of 32; else floats
};
void correlate(const Correlate& job);

}  // namespace sr::winograd
