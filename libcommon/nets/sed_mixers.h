#pragma once
// The ways in which SeD's fusion block puts a discriminator's features into semantics: cross-attention, and
// the three that the paper compares it with (SemanticFusionConfig::Kind).

#include <memory>

#include "nets/sed_fusion.h"

namespace sr {

std::shared_ptr<SemanticMixer> make_mixer(const SemanticFusionConfig& config);

}  // namespace sr
