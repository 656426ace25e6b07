#pragma once
// What the tests of the nets floor share.

#include <string>

#include "core/error.h"
#include "nets/edsr.h"
#include "nets/layers.h"
#include "nets/msrresnet.h"
#include "nets/nafnet.h"
#include "nets/rrdbnet.h"
#include "nets/srvgg.h"
#include "nets/summary.h"
#include "nets/swinir.h"

// LibTorch's module headers bring glog's CHECK; doctest's must come after it.
#undef CHECK
#include <doctest.h>

namespace sr::testing {

/// Small random weights, the same each time; norms near one.
inline void randomise(torch::nn::Module& network) {
  const at::NoGradGuard no_grad;
  at::manual_seed(1);
  for (auto& parameter : network.named_parameters()) {
    Tensor values = parameter.value();
    const double inputs = static_cast<double>(values.numel()) / static_cast<double>(values.size(0));
    const double limit = values.dim() > 1 ? 1 / std::sqrt(inputs) : 0.1;
    values.uniform_(-limit, limit);
    if (values.dim() == 1 && parameter.key().find("norm") != std::string::npos) values.add_(1);
  }
}

}  // namespace sr::testing
