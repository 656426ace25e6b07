#pragma once
// The settings that every kind of training has.

#include <cstdint>

#include "training/data_config.h"
#include "training/optimiser.h"
#include "training/schedule.h"
#include "training/settings.h"

namespace sr {

struct OptimiserConfig {
  AdamConfig adam;
  Schedule schedule;
  double clip_norm = 0;  ///< the longest gradient; 0: any
};

struct ValidationConfig {
  std::int64_t every = 5000;          ///< iterations; 0: never
  std::vector<fs::path> hr, lr;       ///< folders of pairs; without `lr` bicubic LR pictures are made
  std::string protocol = "sed";       ///< see sr-metrics
  std::vector<std::string> measures;  ///< beside PSNR and SSIM: lpips (AlexNet, v0.1), dists
  std::int64_t pictures = 0;          ///< the first so many of them; 0: all
  std::int64_t samples = 4;           ///< pictures kept of each validation, and shown on its sheet

  bool wanted() const { return every > 0 && !hr.empty(); }
};

struct RunConfig {
  std::int64_t iterations = 1000;
  std::uint64_t seed = 0;
  DataConfig data;
  std::int64_t accumulate = 1;  ///< parts that a rank's batch is taken in
  std::int64_t checkpoint_every = 1000, keep = 3;
  std::int64_t log_every = 10;
};

/// Takes these settings, and `extends`, from the whole of them; `data`: what holds where the table [data]
/// says nothing. Throws UsageError that names the line of what is wrong.
RunConfig read_run_config(Settings& table, DataConfig data = {});

/// A table [optimiser]. Throws UsageError, and Error for a schedule that makes no sense.
OptimiserConfig read_optimiser(Settings table, std::int64_t iterations);

/// A table [validation]; `config`: what holds where it says nothing. Throws UsageError.
ValidationConfig read_validation(Settings table, ValidationConfig config = {});

/// Folders and files.
std::vector<fs::path> paths(const std::vector<std::string>& texts);

}  // namespace sr
