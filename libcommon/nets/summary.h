#pragma once
// Size and cost of a network.

#include <cstdint>
#include <optional>

#include "nets/network.h"

namespace sr {

struct NetworkSummary {
  NetworkShape shape;
  int64_t parameters = 0;     ///< numbers that are learnt
  int64_t multiply_adds = 0;  ///< of one image of height x width, in convolutions and matrix products
};

/// Numbers that are learnt.
int64_t count_parameters(const torch::nn::Module& network);

/// Multiply-adds of the convolutions and matrix products that this thread asks for in `work`.
int64_t count_multiply_adds(const std::function<void()>& work);

/// Multiply-adds of one forward pass over an image of height x width (input pixels; rounded up to the
/// network's `multiple`). Runs that pass and counts the convolutions and matrix products in it, whatever the
/// network; takes as long as the pass does.
int64_t count_multiply_adds(Network& network, int64_t height, int64_t width);

NetworkSummary summarise(Network& network, int64_t height, int64_t width);

}  // namespace sr
