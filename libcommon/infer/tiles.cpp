#include "infer/tiles.h"

#include <algorithm>

namespace sr {
namespace {

constexpr int kExactRadius = 64;  // up to this, tiles carry the whole receptive field
// RRDBNet's is 349 pixels, of which the outer ones hardly count. With 96, no pixel of a photograph moves by
// more than a grey level (with 64 some move by 2, with 32 by 9); reduced precision moves them more than 48
// does.
constexpr int kContextExact = 96, kContextReduced = 48;
constexpr int kBlend = 8;

int round_up(int value, int step) { return (value + step - 1) / step * step; }
int round_down(int value, int step) { return value / step * step; }

}  // namespace

TileMargins margins_for(const NetworkShape& shape, bool reduced_precision) {
  const int alignment = std::max(shape.alignment, shape.multiple);
  if (shape.convolutional && shape.receptive_radius && *shape.receptive_radius <= kExactRadius) {
    return {*shape.receptive_radius, 0, alignment};
  }
  const int context = reduced_precision ? kContextReduced : kContextExact;
  return {round_up(context, alignment), round_up(kBlend, alignment), alignment};
}

int even_tile(int length, int size) {
  const int count = (length + size - 1) / size;
  return (length + count - 1) / count;
}

std::vector<TileSpan> plan_axis(int length, int size, const TileMargins& margins) {
  const int smallest = 2 * margins.blend + margins.alignment;  // bands of neighbouring edges must not meet
  const int core = size <= 0 ? length : round_up(std::max(size, smallest), margins.alignment);
  std::vector<TileSpan> tiles;
  for (int first = 0, next = 0; first < length; first = next) {
    next = length - (first + core) < smallest ? length : first + core;
    const int begin = first == 0 ? 0 : first - margins.blend;
    const int end = next == length ? length : next + margins.blend;
    tiles.push_back({round_down(std::max(0, begin - margins.context), margins.alignment),
                     std::min(length, round_up(end + margins.context, margins.alignment)), begin, end});
  }
  return tiles;
}

float blend_weight(const TileSpan& tile, int at, int length, int scale, int blend) {
  if (blend == 0) return 1;
  const auto band = static_cast<float>(2 * blend * scale);
  const float rise = tile.begin == 0 ? 1 : (static_cast<float>(at) + 0.5F) / band;
  const int from_end = (tile.end - tile.begin) * scale - 1 - at;
  const float fall = tile.end == length ? 1 : (static_cast<float>(from_end) + 0.5F) / band;
  return std::min({rise, fall, 1.F});
}

}  // namespace sr
