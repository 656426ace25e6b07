#pragma once
// The layers that carry weights, and the weightless ones that several families share.
//
// One code serves every precision. Convolution and linear weights may be bfloat16 or float16 (see
// `set_precision` in network.h): such a layer casts its input to the weights' type and answers in it. All
// else stays float32: a residual `x + y` comes out as float32 because the trunk `x` is. Layouts are left
// alone, so a channels-last input stays channels-last to the end.

#include <memory>
#include <string>
#include <torch/nn/module.h>
#include <vector>

#include "core/torch.h"

namespace sr {

/// A layer whose weights may be of lower precision than the rest of its network. The weights are zero until
/// they are loaded or drawn.
class WeightLayer : public torch::nn::Module {
 public:
  Tensor weight;
  Tensor bias;  ///< undefined where the layer has none

  virtual Tensor forward(const Tensor& input) const = 0;
  /// `input` in the type of the weights; cast once what goes through several layers or is copied on the way.
  Tensor cast(const Tensor& input) const { return input.to(weight.scalar_type()); }
  /// Converts weight and bias; four-dimensional weights also become channels-last.
  virtual void set_precision(at::ScalarType type);

 protected:
  void register_weights(at::IntArrayRef shape, int64_t outputs, bool with_bias);
};

struct ConvOptions {
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t padding = 1;
  int64_t groups = 1;
  bool bias = true;
  bool transposed = false;  ///< weights are [in, out, kernel, kernel] then
};

/// Options of a 1x1 convolution.
inline ConvOptions pointwise(bool bias = true) {
  return {.kernel = 1, .stride = 1, .padding = 0, .groups = 1, .bias = bias, .transposed = false};
}

/// [N,in,H,W] -> [N,out,H',W']; `weight` is [out, in/groups, kernel, kernel], `bias` [out].
class Conv2d : public WeightLayer {
 public:
  Conv2d(int64_t in, int64_t out, const ConvOptions& options = {});
  Tensor forward(const Tensor& input) const override;
  /// Leaves transposed convolutions as they are: LibTorch 1.13 computes an ordinary one from bfloat16.
  void set_precision(at::ScalarType type) override;
  const ConvOptions& options() const { return options_; }

 private:
  ConvOptions options_;
};

/// [...,in] -> [...,out]; `weight` is [out, in], `bias` [out].
class Linear : public WeightLayer {
 public:
  Linear(int64_t in, int64_t out, bool with_bias = true);
  Tensor forward(const Tensor& input) const override;
};

/// Normalises the last dimension; weights and arithmetic are float32 (the input's type, in fact) always.
class LayerNorm : public torch::nn::Module {
 public:
  LayerNorm(int64_t features, double epsilon);
  Tensor forward(const Tensor& input) const;

  Tensor weight, bias;

 private:
  double epsilon_;
};

/// Convolutions to `out` f^2 channels, each followed by a pixel shuffle of its factor f. The shuffles take an
/// index too, so the keys are `0`, `2`, `4`...
class ShuffleUpsampler : public torch::nn::Module {
 public:
  ShuffleUpsampler(int64_t in, int64_t out, std::vector<int64_t> factors);
  Tensor forward(const Tensor& input) const;

  std::vector<std::shared_ptr<Conv2d>> convs;
  std::vector<int64_t> factors;
};

/// The steps of BasicSR's Upsample: a power of two as that many twos (1 as none), 3 as itself.
/// Throws Error for any other scale.
std::vector<int64_t> shuffle_factors(int64_t scale);

/// Registers `name` as a child that only holds others: keys `name.CHILD`.
inline std::shared_ptr<torch::nn::Module> register_container(torch::nn::Module& parent,
                                                             const std::string& name) {
  return parent.register_module(name, std::make_shared<torch::nn::Module>(name));
}

/// Registers `name` as a container of numbered children: keys `name.0`, `name.1`, ...
template <class Layer>
void register_list(torch::nn::Module& parent, const std::string& name,
                   const std::vector<std::shared_ptr<Layer>>& layers) {
  const auto list = register_container(parent, name);
  for (size_t i = 0; i < layers.size(); ++i) list->register_module(std::to_string(i), layers[i]);
}

/// Nearest-neighbour enlargement of [N,C,H,W] by a whole factor.
Tensor upsample_nearest(const Tensor& input, int64_t factor);

/// Activations that overwrite their input. Use on the fresh output of a convolution only: neither its
/// gradient nor theirs needs the value before (slope > 0).
inline Tensor leaky_relu_in_place(Tensor fresh, double slope) { return at::leaky_relu_(fresh, slope); }
inline Tensor relu_in_place(Tensor fresh) { return at::relu_(fresh); }

}  // namespace sr
