#pragma once
// What every image-to-image network offers, and how one is made from a checkpoint's tensors.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <torch/nn/module.h>

#include "core/torch.h"
#include "weights/state_dict.h"

namespace sr {

/// How a network treats space; tiling is planned from this.
struct NetworkShape {
  std::string family;    ///< "RRDBNet", "SwinIR", ...
  int in_channels = 3;   ///< 3 = RGB, 1 = grey
  int out_channels = 3;  ///< of the image that comes out
  int scale = 4;         ///< output side / input side
  int multiple = 1;      ///< input sides must divide by this (whoever calls forward pads by reflection)
  /// Tiles that begin at multiples of this see the same windows and strides as the whole image does.
  int alignment = 1;
  /// Radius, in input pixels, within which an output pixel sees its input: exact for convolutional networks,
  /// an upper bound for window attention; empty: the whole input.
  std::optional<int> receptive_radius;
  /// The same at every place (of the same alignment): false for window attention and global pooling.
  bool convolutional = true;
  /// About how many numbers a forward pass holds at once for each input pixel; tile sizes follow from it.
  double activations = 1024;
};

/// An image-to-image network. `forward` takes [N,in_channels,H,W] in [0,1] and answers
/// [N,out_channels,H*scale,W*scale] (not clamped), in the input's type and layout. Parameters carry the
/// official checkpoint's names. A new network's weights are zero.
class Network : public torch::nn::Module {
 public:
  virtual Tensor forward(const Tensor& input) = 0;
  virtual NetworkShape shape() const = 0;
  /// Gradient checkpointing: blocks are reckoned again in the backward pass instead of kept.
  void set_recomputing(bool on) { recomputing_ = on; }
  /// True for a buffer of official checkpoints that this network computes by itself.
  virtual bool recomputes(const std::string& /*key*/) const { return false; }

 protected:
  /// part(input), recomputed or not.
  Tensor run(const std::function<Tensor(const Tensor&)>& part, const Tensor& input) const;

 private:
  bool recomputing_ = false;
};

/// Builds the network whose keys and shapes these are, and fills it (eval mode, float32, no gradients).
/// Every key vocabulary in circulation is understood. Throws Error that lists missing, unexpected and
/// misshapen keys, or says that the family is not known.
std::shared_ptr<Network> make_network(const StateDict& weights);

/// The name of the family whose keys these are ("SwinIR"), if one that `make_network` makes. Throws Error
/// where keys that tell its sizes are missing.
std::optional<std::string> network_family(const StateDict& weights);

/// Copies `weights` into the network's parameters, converting to their types; keys are the network's own.
/// Throws Error that lists missing, unexpected and misshapen keys; nothing is changed then.
void load_weights(Network& network, const StateDict& weights);

/// Converts convolution and linear weights to `type` (float32, bfloat16, float16) and channels-last. All
/// other parameters keep their type: norms, softmax, residuals and the sum at the end stay float32.
void set_precision(torch::nn::Module& network, at::ScalarType type);

}  // namespace sr
