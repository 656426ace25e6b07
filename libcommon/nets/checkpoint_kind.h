#pragma once
// What a checkpoint is, for the error that tells a user who chose the wrong one.

#include <string>

#include "weights/state_dict.h"

namespace sr {

/// "RAM's", "those of an upscaler (SwinIR)", ..., to stand after "the weights are not X's but"; "of no kind
/// known here" too. Never throws for what the tensors are.
std::string checkpoint_kind(const StateDict& weights);

}  // namespace sr
