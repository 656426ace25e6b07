#pragma once
// What sr-metrics does.

#include "cli/scoring.h"
#include "image/picture.h"
#include "quality/psnr_ssim.h"

namespace sr {

struct MetricsConfig {
  std::string metrics = "psnr,ssim";
  std::vector<std::string> sides;  ///< A and B: two files, two folders; one may be "-"
  std::string pairs;               ///< TSV of pairs instead, "-": standard input
  bool recursive = false;
  std::string protocol = "rgb";
  int scale = 4;               ///< the crop border of protocols that cut off as much as the scale
  int crop = -1;               ///< overrides the protocol's crop border
  std::string align = "none";  ///< "crop": sizes may differ, what both have from the top left is compared
  std::string weights;         ///< a folder searched first
  std::string fid_resize;      ///< "legacy" or "clean"; empty: the protocol's
  std::string save_stats;      ///< a file for FID's statistics of the one side
  ScoringOptions scoring;
  std::int64_t max_pixels = kMaxPixels;
};

/// Prints a row a pair, and their mean; of sets alone (fid), one row.
ExitStatus measure(Program& program, const MetricsConfig& config);

/// What the papers compare, for PSNR and SSIM.
Protocol metrics_protocol(const MetricsConfig& config);

}  // namespace sr
