#pragma once
// What sr-train psnr, gan, dape and seesr do.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"

namespace sr {

struct TrainOptions {
  std::string kind;      ///< "psnr", "gan", "dape", "seesr"
  std::string settings;  ///< a preset's name, or a .toml file; empty: those of the run
  std::string run;       ///< the run's folder
  bool resume = false;
  std::vector<std::string> hr, lr, validation, tags;  ///< folders
  std::vector<std::string> changes;                   ///< KEY=VALUE of the settings
  std::optional<std::int64_t> iterations, batch, crop, seed;
  std::string start;        ///< a checkpoint for the generator to begin with, or RAM's; a folder of SeeSR's
  bool print_plan = false;  ///< of SeeSR's training: what it needs, in place of it
  std::string sd, dape;     ///< of SeeSR's training: Stable Diffusion's folder, DAPE's checkpoint
  std::string cache;        ///< a folder of what its frozen networks say
  std::string weights;      ///< a folder searched first
  ComputeOptions compute;
  std::string result, result_precision = "fp16";  ///< where the generator, DAPE or SeeSR goes at the end
  std::string sfd_result;                         ///< and Feat-D with the prompts
};

/// The program of `sr-train KIND`.
std::unique_ptr<Program> train_program(const std::string& kind, TrainOptions& options);

/// Trains, or goes on, and writes what was asked for.
ExitStatus train(Program& program, const TrainOptions& options);

}  // namespace sr
