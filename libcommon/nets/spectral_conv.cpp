#include "nets/spectral_conv.h"

#include <cmath>

#include "nets/winograd_training.h"

namespace sr {
namespace {

constexpr double kEpsilon = 1e-12;

Tensor unit_vector(const Tensor& vector) { return vector / vector.norm().clamp_min(kEpsilon); }

// Products by pointwise ones: OpenBLAS's threads, once woken, take the processors from ours for a while.
Tensor times(const Tensor& matrix, const Tensor& vector) { return (matrix * vector).sum(1); }
Tensor transposed_times(const Tensor& matrix, const Tensor& vector) {
  return (matrix * vector.unsqueeze(1)).sum(0);
}

}  // namespace

SpectralConv2d::SpectralConv2d(int64_t in, int64_t out, const ConvOptions& options) : options_(options) {
  const int64_t inputs = in / options.groups, kernel = options.kernel;
  weight_orig = register_parameter("weight_orig", torch::zeros({out, inputs, kernel, kernel}));
  if (options.bias) bias = register_parameter("bias", torch::zeros({out}));
  weight_u = register_buffer("weight_u", torch::zeros({out}));
  weight_v = register_buffer("weight_v", torch::zeros({inputs * kernel * kernel}));
}

void SpectralConv2d::iterate() {
  const at::NoGradGuard no_grad;
  const Tensor matrix = weight_orig.flatten(1);
  weight_v.copy_(unit_vector(transposed_times(matrix, weight_u)));
  weight_u.copy_(unit_vector(times(matrix, weight_v)));
}

Tensor SpectralConv2d::divided() const {
  // The next iteration overwrites the vectors, which this one's gradient may still ask for.
  const Tensor u = is_training() ? weight_u.clone() : weight_u,
               v = is_training() ? weight_v.clone() : weight_v;
  return weight_orig / (u * times(weight_orig.flatten(1), v)).sum();
}

Tensor SpectralConv2d::forward(const Tensor& input) {
  if (folded_.layer) return folded_.forward(input, /*relu=*/false);
  if (is_training()) iterate();
  const auto& o = options_;
  const Tensor weight = divided();
  if (winograd_trains(o, weight, input)) return winograd_conv(input, {}, weight, bias);
  return at::conv2d(input, weight, bias, {o.stride, o.stride}, {o.padding, o.padding}, {1, 1}, o.groups);
}

void SpectralConv2d::draw(const std::optional<at::Generator>& generator) {
  const at::NoGradGuard no_grad;
  const auto source = generator ? *generator : at::Generator();
  const double limit = 1 / std::sqrt(static_cast<double>(weight_v.numel()));
  weight_orig.uniform_(-limit, limit, source);
  if (bias.defined()) bias.uniform_(-limit, limit, source);
  for (Tensor vector : {weight_u, weight_v}) vector.copy_(unit_vector(vector.normal_(0, 1, source)));
}

void SpectralConv2d::fold() {
  const at::NoGradGuard no_grad;
  folded_.layer =
      std::make_shared<Conv2d>(weight_orig.size(1) * options_.groups, weight_orig.size(0), options_);
  folded_.layer->weight.set_data(divided());
  if (bias.defined()) folded_.layer->bias.set_data(bias.detach());
  for (auto& parameter : folded_.layer->parameters()) parameter.requires_grad_(false);
  folded_.prepare();
}

}  // namespace sr
