#pragma once
// What sr-diffuse would do: --print-plan.

#include "cli/diffuse.h"

namespace sr {

/// Prints a row a picture: sizes, tiles, steps, multiply-adds, memory; above them the parameters of each
/// part. Reads configurations and headers of pictures alone.
ExitStatus print_plan(Program& program, const DiffuseConfig& config);

}  // namespace sr
