#pragma once
// What sr-iqa features does.

#include <memory>

#include "cli/batch.h"
#include "image/picture.h"

namespace sr {

struct FeaturesConfig {
  InputOptions input;
  BatchOptions batch{"", 0};
  std::string model = "clip";
  std::string layer;  ///< of clip: 1 to 4 or "embedding"; empty: that
  std::string hr;     ///< a folder of HR pictures, for discriminators with semantics
  std::string weights;
  bool json = false, no_header = false;
  int threads = 0;
  std::int64_t max_pixels = kMaxPixels;
};

/// `sr-iqa features`, with its options, which fill `config`.
std::unique_ptr<Program> features_program(FeaturesConfig& config);

/// Prints a row for each picture: its name and what the model makes of it, columns f1, f2, ...
ExitStatus print_features(Program& program, const FeaturesConfig& config);

}  // namespace sr
