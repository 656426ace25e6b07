#pragma once
// What sr-iqa does: scores pictures without a reference.

#include "cli/iqa_measures.h"
#include "cli/scoring.h"
#include "image/picture.h"

namespace sr {

struct IqaConfig {
  InputOptions input;
  ScoringOptions scoring;
  std::string measures = "niqe";
  std::string weights;  ///< a folder searched first
  std::string protocol = "original";
  std::vector<std::string> prompts;  ///< good, bad, good, bad ... of clipiqa; empty: the protocol's
  int crop = 0;                      ///< pixels cut off all round before anything is measured
  std::int64_t max_pixels = kMaxPixels;
};

/// Prints a row a picture, and their mean.
ExitStatus judge(Program& program, const IqaConfig& config);

}  // namespace sr
