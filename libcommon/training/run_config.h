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

/// Folders and files.
std::vector<fs::path> paths(const std::vector<std::string>& texts);

}  // namespace sr
