#pragma once
// What is particular to sr-train seesr.

#include <string>
#include <vector>

#include "cli/program.h"
#include "cli/train.h"

namespace sr {

ProgramInfo seesr_info(const std::string& kept_runs);

void add_seesr_options(Program& program, TrainOptions& options);

/// Folders as SeeSR prepares them, each with gt/, sr_bicubic/ or lr/, and perhaps tag/, become those folders
/// in the options' place. Other folders stay as they are. Throws UsageError where a folder has gt/ and no LR
/// pictures.
TrainOptions with_pair_folders(TrainOptions options);

}  // namespace sr
