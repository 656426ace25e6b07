#pragma once
// How diffusion networks are told how far the noise has gone.
// Code held against: huggingface/diffusers src/diffusers/models/embeddings.py Timesteps, TimestepEmbedding
// (v0.21.0) with flip_sin_to_cos and freq_shift 0.

#include <memory>

#include "nets/layers.h"

namespace sr {

/// [N] (whole or not) -> [N,features], float32: cosines, then sines, of frequencies from 1 down to nearly
/// 1 / 10000.
Tensor sinusoids(const Tensor& timesteps, int64_t features);

/// linear_2(silu(linear_1(sinusoids))).
class TimestepEmbedding : public torch::nn::Module {
 public:
  TimestepEmbedding(int64_t sinusoids, int64_t features);
  /// Timesteps [N] -> [N,features], float32.
  Tensor forward(const Tensor& timesteps) const;

 private:
  int64_t sinusoids_;
  std::shared_ptr<Linear> linear_1_, linear_2_;
};

}  // namespace sr
