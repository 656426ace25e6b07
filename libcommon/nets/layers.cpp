#include "nets/layers.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <new>

#include "core/autocast.h"
#include "core/error.h"
#include "nets/winograd_training.h"

namespace sr {
namespace {

/// Zeros that take no memory until they are written or, being replaced by a checkpoint's, never: LibTorch
/// writes its own, which takes as long as reading the checkpoint.
Tensor untouched_zeros(at::IntArrayRef shape) {
  const auto count = static_cast<size_t>(std::max<int64_t>(1, c10::multiply_integers(shape)));
  void* const zeros = std::calloc(count, sizeof(float));
  if (zeros == nullptr) throw std::bad_alloc();
  return at::from_blob(zeros, shape, std::free, at::kFloat);
}

}  // namespace

void WeightLayer::register_weights(at::IntArrayRef shape, int64_t outputs, bool with_bias) {
  weight = register_parameter("weight", untouched_zeros(shape));
  if (with_bias) bias = register_parameter("bias", torch::zeros({outputs}));
}

void WeightLayer::set_precision(at::ScalarType type) {
  // set_data keeps the registered parameter and this handle one and the same tensor.
  const auto layout = weight.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Preserve;
  weight.set_data(weight.detach().to(weight.options().dtype(type), false, false, layout));
  if (bias.defined()) bias.set_data(bias.detach().to(type));
}

Conv2d::Conv2d(int64_t in, int64_t out, const ConvOptions& options) : options_(options) {
  const int64_t first = options.transposed ? in : out, second = options.transposed ? out : in;
  register_weights({first, second / options.groups, options.kernel, options.kernel}, out, options.bias);
}

Tensor Conv2d::forward(const Tensor& input) const {
  if (winograd_trains(options_, weight, input)) return winograd_conv(input, {}, weight, bias);
  const auto& o = options_;
  if (current_arithmetic(input.device()).type == at::kFloat) {
    return at::convolution(cast(input), weight, bias, {o.stride, o.stride}, {o.padding, o.padding}, {1, 1},
                           o.transposed, {0, 0}, o.groups);
  }
  // autocast on CPUs doesn't know at::convolution
  return o.transposed ? at::conv_transpose2d(input, weight, bias, o.stride, o.padding, 0, o.groups)
                      : at::conv2d(input, weight, bias, o.stride, o.padding, 1, o.groups);
}

void Conv2d::set_precision(at::ScalarType type) {
  if (!options_.transposed) WeightLayer::set_precision(type);
}

Linear::Linear(int64_t in, int64_t out, bool with_bias) { register_weights({out, in}, out, with_bias); }

Tensor Linear::forward(const Tensor& input) const { return at::linear(cast(input), weight, bias); }

LayerNorm::LayerNorm(int64_t features, double epsilon)
    : weight(register_parameter("weight", torch::ones({features}))),
      bias(register_parameter("bias", torch::zeros({features}))),
      epsilon_(epsilon) {}

Tensor LayerNorm::forward(const Tensor& input) const {
  return at::layer_norm(input.to(weight.scalar_type()), weight.sizes(), weight, bias, epsilon_);
}

ShuffleUpsampler::ShuffleUpsampler(int64_t in, int64_t out, std::vector<int64_t> steps)
    : factors(std::move(steps)) {
  for (size_t i = 0; i < factors.size(); ++i) {
    auto conv = std::make_shared<Conv2d>(in, out * factors[i] * factors[i]);
    convs.push_back(register_module(std::to_string(2 * i), std::move(conv)));
  }
}

Tensor ShuffleUpsampler::forward(const Tensor& input) const {
  Tensor x = input;
  for (size_t i = 0; i < convs.size(); ++i) x = at::pixel_shuffle(convs[i]->forward(x), factors[i]);
  return x;
}

std::vector<int64_t> shuffle_factors(int64_t scale) {
  if (scale == 3) return {3};
  std::vector<int64_t> factors;
  int64_t rest = scale;
  for (; rest > 1 && rest % 2 == 0; rest /= 2) factors.push_back(2);
  if (rest != 1) throw Error(fmt::format("scale {} is neither 3 nor a power of two", scale));
  return factors;
}

Tensor upsample_nearest(const Tensor& input, int64_t factor) {
  if (factor == 1) return input;
  return at::upsample_nearest2d(input, {input.size(2) * factor, input.size(3) * factor});
}

}  // namespace sr
