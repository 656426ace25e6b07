#pragma once
// Settings of losses as recorded cases have them.

#include <nlohmann/json.hpp>

#include "training/gan_loss.h"
#include "training/perceptual_loss.h"

namespace golden {

/// BasicSR's `perceptual_opt`, or SeD's.
sr::PerceptualLossConfig perceptual_config(const nlohmann::json& json);

/// BasicSR's `gan_opt`.
sr::GanLoss gan_loss(const nlohmann::json& json);

}  // namespace golden
