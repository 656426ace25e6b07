#pragma once
// Named tensors: what a checkpoint holds and what a network is filled with.

#include <map>
#include <string>

#include "core/torch.h"

namespace sr {

using StateDict = std::map<std::string, Tensor>;

/// share * a + (1 - share) * b, tensor by tensor (network interpolation, as Real-ESRGAN's -dn does). Throws
/// Error where the two differ in keys or shapes.
StateDict interpolate(const StateDict& a, const StateDict& b, double share);

}  // namespace sr
