#pragma once
// A picture's rows, enlarged by a network tile by tile.

#include "image/rows.h"
#include "infer/engine.h"
#include "infer/tiles.h"

namespace sr {

struct UpscaleOptions {
  int tile = -1;      ///< side in input pixels; 0: the whole picture at once; -1: chosen
  int tile_pad = -1;  ///< pixels that a tile sees beyond its own, without mixing, as Real-ESRGAN; -1: chosen
  bool quantise = false;  ///< strips of uint8, ready to be written: four times smaller
};

/// Rows of `input` through the engine's network. Tiles overlap by what the network looks at and are mixed
/// over a band where it looks further; memory is bounded by a row of tiles. Alpha is enlarged bicubically,
/// and colour under full transparency is replaced by the colour nearby, so that nothing dark bleeds into what
/// is seen.
std::unique_ptr<RowSource> upscale_rows(std::unique_ptr<RowSource> input, Engine& engine,
                                        const UpscaleOptions& options);

}  // namespace sr
