#pragma once
// What sr-degrade does.

#include "cli/batch.h"

namespace sr {

struct DegradeConfig {
  InputOptions input;
  OutputOptions output;
  BatchOptions batch;
  std::string method = "bicubic";
  double scale = 4;  ///< HR side / LR side
  int threads = 0;
  std::int64_t max_pixels = kMaxPixels;
};

/// Makes an LR image of every HR image.
ExitStatus degrade(Program& program, const DegradeConfig& config);

}  // namespace sr
