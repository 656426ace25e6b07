#pragma once
// What is particular to sr-train seesr.

#include <string>
#include <vector>

#include "cli/program.h"
#include "cli/train.h"
#include "cli/weights_source.h"
#include "core/autocast.h"
#include "training/seesr_config.h"

namespace sr {

ProgramInfo seesr_info(const std::string& kept_runs);

void add_seesr_options(Program& program, TrainOptions& options);

/// Prints what a step needs of memory, part by part. RAM is taken to be the official one where its file is
/// missing.
void print_seesr_plan(const SeesrConfig& config, const Arithmetic& arithmetic, WeightsSource& source);

/// Folders as SeeSR prepares them, each with gt/, sr_bicubic/ or lr/, and perhaps tag/, become those folders
/// in the options' place. Other folders stay as they are. Throws UsageError where a folder has gt/ and no LR
/// pictures, and where some folders have gt/, or tag/, and others have not.
TrainOptions with_pair_folders(TrainOptions options);

}  // namespace sr
