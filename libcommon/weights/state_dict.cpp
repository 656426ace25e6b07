#include "weights/state_dict.h"

#include <fmt/format.h>

#include "core/error.h"

namespace sr {

StateDict interpolate(const StateDict& a, const StateDict& b, double share) {
  StateDict mixed;
  for (const auto& [key, tensor] : a) {
    const auto other = b.find(key);
    if (other == b.end() || other->second.sizes() != tensor.sizes() || a.size() != b.size()) {
      throw Error(fmt::format("the two checkpoints are not of one network: they differ at {}", key));
    }
    const bool mixes = tensor.is_floating_point();
    mixed[key] = mixes ? tensor.to(at::kFloat) * share + other->second.to(at::kFloat) * (1 - share) : tensor;
  }
  return mixed;
}

}  // namespace sr
