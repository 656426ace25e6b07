#pragma once
// Networks compiled into one chain of convolutions for processors with matrix tiles (Intel AMX): bf16
// activations and weights, fp32 sums, and skip connections in fp32. Several times faster than layer by layer.

#include <memory>

#include "core/torch.h"
#include "nets/network.h"

namespace sr {

class FusedNetwork {
 public:
  virtual ~FusedNetwork() = default;
  /// float32 [N,C,H,W] -> float32 [N,C',H*scale,W*scale], sides as for the network itself. Keeps its buffers
  /// for the next input of the same size; one thread at a time (it starts more by itself).
  virtual Tensor forward(const Tensor& input) = 0;
};

/// The network's fused form, with a copy of its weights as they are now; null where it has none
/// (SRVGGNetCompact and RRDBNet have) or the processor can't run it.
std::unique_ptr<FusedNetwork> fuse(const Network& network);

}  // namespace sr
