#pragma once
// What sr-metrics does.

#include "cli/batch.h"
#include "image/picture.h"

namespace sr {

struct MetricsConfig {
  std::string metrics = "psnr,ssim";
  std::vector<std::string> sides;  ///< A and B: two files, two folders; one may be "-"
  std::string pairs;               ///< TSV of pairs instead, "-": standard input
  bool recursive = false;
  std::string protocol = "rgb";
  int scale = 4;  ///< of protocol sr-y: its crop border
  int crop = -1;  ///< overrides the protocol's crop border
  bool json = false;
  bool no_header = false;
  int threads = 0;
  BatchOptions batch;
  std::int64_t max_pixels = kMaxPixels;
};

/// Prints a row a pair, and their mean.
ExitStatus measure(Program& program, const MetricsConfig& config);

}  // namespace sr
