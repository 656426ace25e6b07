#pragma once
// What sr-degrade does.

#include "cli/batch.h"

namespace sr {

struct DegradeConfig {
  InputOptions input;
  OutputOptions output;
  BatchOptions batch;
  std::string method = "bicubic";  ///< a preset's name, or a .toml file
  double scale = 0;                ///< HR side / LR side; 0: the method's
  bool luma = false;               ///< of Y alone
  std::int64_t seed = 0;
  std::string pairs;  ///< a folder for gt/, lr/ (and sr_bicubic/); empty: LR pictures alone
  std::int64_t crop = 0, resize = 0;
  std::string record, replay;
  std::string contact_sheet;  ///< a picture file; empty: none
  int threads = 0;
  std::int64_t max_pixels = kMaxPixels;
};

/// Makes an LR image, or a pair, of every HR image.
ExitStatus degrade(Program& program, DegradeConfig config);

}  // namespace sr
