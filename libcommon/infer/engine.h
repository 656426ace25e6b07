#pragma once
// Runs a network on pieces of pictures: device, number format, memory format, and what to do when memory or
// numbers run out.

#include <memory>

#include "core/log.h"
#include "core/pipeline.h"
#include "infer/device.h"
#include "infer/fused_net.h"
#include "nets/network.h"

namespace sr {

struct EngineOptions {
  at::Device device = at::kCPU;
  Precision precision = Precision::automatic;
  int threads = 0;   ///< 0: all processors this process may use
  bool tta = false;  ///< mean over the eight flips and turns of the input
};

/// A network ready to run. All calls go through its own thread (LibTorch's pools and flags belong to
/// threads).
class Engine {
 public:
  /// Builds the network that these weights are of. Throws Error.
  Engine(StateDict weights, const EngineOptions& options, Log& log);

  const NetworkShape& shape() const { return shape_; }
  bool reduces_precision() const { return type_ != at::kFloat; }
  /// About what a forward pass needs for each input pixel; tile sizes follow from it.
  double bytes_per_pixel() const;

  /// [C,h,w] float32 in [0,1] -> [C,h*scale,w*scale] float32, C = 1 or 3 whatever the network's channels. Any
  /// size: padded by reflection to what the network divides by, and cropped. Results that are not finite are
  /// made again in float32; where memory runs out the piece is cut in two that overlap by `context` on each
  /// side. Throws Error where even float32 is not finite, or no piece is small enough. Call it on the
  /// engine's stage.
  Tensor forward(const Tensor& piece, int context);

  /// The thread on which `forward` is called.
  Stage& stage() { return stage_; }

 private:
  Tensor forward_whole(const Tensor& piece);
  Tensor forward_halves(const Tensor& piece, int context);
  Tensor forward_tta(const Tensor& batch, at::ScalarType type);
  Tensor forward_padded(const Tensor& batch, at::ScalarType type);
  Tensor run(const Tensor& batch, at::ScalarType type);
  Network& exact();

  StateDict weights_;
  EngineOptions options_;
  Log& log_;
  std::shared_ptr<Network> network_;     ///< in `type_`
  std::shared_ptr<Network> exact_;       ///< in float32; made when first needed
  std::unique_ptr<FusedNetwork> fused_;  ///< the same as `network_`, faster, where there is such a thing
  NetworkShape shape_;
  at::ScalarType type_;
  int64_t largest_ = std::numeric_limits<int64_t>::max();  ///< pixels that memory is known not to do
  bool warned_ = false;
  Stage stage_;
};

/// True for the ways in which LibTorch and C++ say that memory ran out.
bool is_out_of_memory(const std::exception& error);

}  // namespace sr
