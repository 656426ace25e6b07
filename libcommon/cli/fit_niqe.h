#pragma once
// What sr-iqa fit-niqe does.

#include "cli/batch.h"
#include "image/picture.h"

namespace sr {

struct FitNiqeConfig {
  InputOptions input;
  BatchOptions batch;
  std::string output;
  std::string variant = "basicsr";
  double sharpness = 0.75;
  int threads = 0;
  std::int64_t max_pixels = kMaxPixels;
};

/// `sr-iqa fit-niqe`, with its options, which fill `config`.
std::unique_ptr<Program> fit_niqe_program(FitNiqeConfig& config);

/// Fits NIQE's model of pristine pictures to the inputs, which are read as sr-iqa reads those that it scores,
/// and writes it. UsageError where it can't be written, before any of them is read. Nothing is written where
/// a picture fails, since the model would not be that of the pictures named.
ExitStatus fit_niqe_model(Program& program, const FitNiqeConfig& config);

}  // namespace sr
