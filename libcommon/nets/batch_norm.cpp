#include "nets/batch_norm.h"

#include "core/error.h"

namespace sr {
namespace {

constexpr double kMomentum = 0.1;
constexpr bool kCudnnEnabled = true;

}  // namespace

BatchNorm::BatchNorm(int64_t features)
    : weight(register_parameter("weight", torch::ones({features}))),
      bias(register_parameter("bias", torch::zeros({features}))),
      running_mean(register_buffer("running_mean", torch::zeros({features}))),
      running_var(register_buffer("running_var", torch::ones({features}))),
      num_batches_tracked(register_buffer("num_batches_tracked", torch::zeros({}, at::kLong))) {}

Tensor BatchNorm::forward(const Tensor& input) const {
  if (is_training()) {
    if (input.numel() <= input.size(1))
      throw Error("batch normalisation can't learn from one value per channel: the batch is too small");
    const at::NoGradGuard no_grad;
    num_batches_tracked.add_(1);
  }
  return at::batch_norm(input, weight, bias, running_mean, running_var, is_training(), kMomentum, epsilon,
                        kCudnnEnabled);
}

void BatchNorm::reset() {
  const at::NoGradGuard no_grad;
  weight.fill_(1);
  bias.zero_();
  running_mean.zero_();
  running_var.fill_(1);
  num_batches_tracked.zero_();
}

Tensor instance_norm(const Tensor& input) {
  return at::instance_norm(input, {}, {}, {}, {}, /*use_input_stats=*/true, kMomentum, BatchNorm::epsilon,
                           kCudnnEnabled);
}

}  // namespace sr
