#pragma once
// Fits of the Weibull distribution, which gradient magnitudes of natural pictures follow.
// Source: chaofengc/IQA-PyTorch pyiqa/matlab_utils/functions.py fitweibull (MATLAB's wblfit).

#include "core/torch.h"

namespace sr {

/// Maximum-likelihood fits to the rows of a batch, of which `logs` [rows, samples] holds the natural
/// logarithms in float32 and is overwritten: float64 [rows, 2], scale and shape. As in the source, Newton's
/// iteration stops for all rows at once, when no shape changes by 0.01 or more, after 50 steps at the latest:
/// a row's fit depends a little on the others. NaN where a row is (almost) constant.
Tensor fit_weibull(const Tensor& logs);

}  // namespace sr
