#include "nets/timestep_embedding.h"

#include <cmath>

namespace sr {

Tensor sinusoids(const Tensor& timesteps, int64_t features) {
  const int64_t half = features / 2;
  const Tensor places = at::arange(half, timesteps.options().dtype(at::kFloat));
  const Tensor frequencies = (places * -std::log(10000.0) / static_cast<double>(half)).exp();
  const Tensor angles = timesteps.to(at::kFloat).unsqueeze(1) * frequencies;
  return at::cat({angles.cos(), angles.sin()}, 1);
}

TimestepEmbedding::TimestepEmbedding(int64_t sinusoids, int64_t features)
    : sinusoids_(sinusoids),
      linear_1_(register_module("linear_1", std::make_shared<Linear>(sinusoids, features))),
      linear_2_(register_module("linear_2", std::make_shared<Linear>(features, features))) {}

Tensor TimestepEmbedding::forward(const Tensor& timesteps) const {
  const Tensor hidden = linear_1_->forward(sinusoids(timesteps, sinusoids_));
  return linear_2_->forward(at::silu(hidden)).to(at::kFloat);
}

}  // namespace sr
