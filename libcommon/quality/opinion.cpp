#include "quality/opinion.h"

namespace sr {

double mean_opinion(const Tensor& answer) {
  const Tensor shares = answer.flatten().to(at::kDouble);
  return shares.dot(at::arange(1, shares.numel() + 1, shares.options())).item<double>();
}

}  // namespace sr
