#pragma once
// How a picture is cut into tiles that a network sees one at a time, along one axis.

#include <vector>

#include "nets/network.h"

namespace sr {

/// What a tile needs around it. All in input pixels.
struct TileMargins {
  int context =
      0;  ///< read beyond what is used, so that the network sees what it would see in the whole picture
  int blend = 0;      ///< half the width of the band over which neighbouring tiles are mixed; 0: none
  int alignment = 1;  ///< tiles begin at multiples of this
};

/// Networks with a small receptive field get all of it, and their tiles fit without a seam. For those that
/// see further the context is what matters in practice, and tiles are mixed over a band.
TileMargins margins_for(const NetworkShape& shape, bool reduced_precision);

/// One tile along one axis: [input_begin,input_end) is read; of what comes out [begin,end) is used.
struct TileSpan {
  int input_begin, input_end;
  int begin, end;
};

/// The size at most `size` that cuts `length` into the fewest tiles, all about equal.
int even_tile(int length, int size);

/// Cuts [0,length) at multiples of `size` (rounded up to the alignment; what would be too small a rest joins
/// its neighbour). size <= 0: one tile. Neighbours overlap by 2 * margins.blend.
std::vector<TileSpan> plan_axis(int length, int size, const TileMargins& margins);

/// Weight of output pixel `at` (relative to tile.begin * scale) in a tile's mix with its neighbours: rises
/// from 0 to 1 over 2 * blend * scale pixels at an inner edge, falls likewise; 1 elsewhere. Sums to 1 over
/// all tiles.
float blend_weight(const TileSpan& tile, int at, int length, int scale, int blend);

}  // namespace sr
