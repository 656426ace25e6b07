#pragma once
// From sr-diffuse's options to what the sampler takes.

#include "cli/diffuse.h"
#include "diffusion/seesr_folders.h"

namespace sr {

// Each throws UsageError.
SeesrOptions seesr_options(const DiffuseConfig& config);
SeesrFolders seesr_folders(const DiffuseConfig& config);
Placement placement_of(const DiffuseConfig& config);

}  // namespace sr
