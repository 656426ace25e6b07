#pragma once
// From what a network answers to a score.

#include "core/torch.h"

namespace sr {

/// The score itself where the answer has one number; the mean of 1, 2, ... where it holds their shares
/// (chaofengc/IQA-PyTorch pyiqa/archs/arch_util.py dist_to_mos).
double mean_opinion(const Tensor& answer);

}  // namespace sr
