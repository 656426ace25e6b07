#pragma once
// What sr-upscale does.

#include "cli/batch.h"
#include "cli/computing.h"

namespace sr {

struct UpscaleConfig {
  InputOptions input;
  OutputOptions output;
  BatchOptions batch;
  ModelOptions model;
  ComputeOptions compute;
  double scale = 0;           ///< 0: the network's own
  std::string tile = "auto";  ///< "auto", or pixels; "0": the whole picture at once
  int tile_pad = -1;          ///< -1: chosen by the network
  bool tta = false;
  bool summary = false;
  std::string preview;  ///< a page or a picture file; empty: none
  std::int64_t max_pixels = kMaxPixels;
};

/// Enlarges (or restores) every input.
ExitStatus upscale(Program& program, const UpscaleConfig& config);

}  // namespace sr
