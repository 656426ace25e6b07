#pragma once
// How noise is added to latents, and taken away step by step. Paper: Ho et al., "Denoising Diffusion
// Probabilistic Models", NeurIPS 2020; v-prediction: Salimans and Ho, "Progressive Distillation for Fast
// Sampling of Diffusion Models", ICLR 2022. Code held against: huggingface/diffusers
// src/diffusers/schedulers/scheduling_ddpm.py DDPMScheduler (v0.21.0).
//
// Timesteps count from 0, almost no noise, up to `train_timesteps` - 1, almost nothing else.

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "core/torch.h"

namespace sr {

struct DdpmConfig {
  /// Where N steps lie among the T of training: with T / N (whole) between them from `steps_offset` up, with
  /// T / N (rounded) from the last one down, evenly from the first to the last.
  enum class Spacing { leading, trailing, linspace };
  enum class Prediction {
    epsilon,  ///< the noise
    v         ///< sqrt(a) noise - sqrt(1 - a) sample, a = alphas_cumprod[t]
  };

  int64_t train_timesteps = 1000;
  double beta_start = 0.0001, beta_end = 0.02;  ///< their square roots are what rises evenly
  int64_t steps_offset = 0;
  Spacing spacing = Spacing::leading;
  Prediction prediction = Prediction::epsilon;

  bool operator==(const DdpmConfig&) const = default;
};

/// From a parsed scheduler_config.json of diffusers', of whatever scheduler: what isn't said is as in
/// DDPMScheduler. Throws Error that names the key and its value where it isn't known here (only
/// "scaled_linear" betas, "fixed_small" variance, no clipping or thresholding of the predicted sample).
DdpmConfig ddpm_config(const nlohmann::json& json);

class DdpmScheduler {
 public:
  explicit DdpmScheduler(const DdpmConfig& config);
  const DdpmConfig& config() const { return config_; }
  /// float32 [train_timesteps] on the CPU: the noise that each timestep adds, and what is left of the
  /// sample's variance after it.
  const Tensor& betas() const { return betas_; }
  const Tensor& alphas_cumprod() const { return alphas_cumprod_; }

  /// Samples [N,...] with noise of the same shape, each at its own of `timesteps` (int64 [N], in the table).
  Tensor add_noise(const Tensor& samples, const Tensor& noise, const Tensor& timesteps) const;
  /// What a network of `Prediction::v` is taught to answer; arguments as add_noise's.
  Tensor velocity(const Tensor& samples, const Tensor& noise, const Tensor& timesteps) const;

 private:
  /// alphas_cumprod at the timesteps, in the shape and on the device that `samples` are multiplied on.
  Tensor alphas_at(const Tensor& timesteps, const Tensor& samples) const;

  DdpmConfig config_;
  Tensor betas_, alphas_cumprod_;
};

/// Sampling in a given number of steps.
class DdpmSteps {
 public:
  /// Throws UsageError unless 1 <= steps <= train_timesteps.
  DdpmSteps(const DdpmScheduler& scheduler, int64_t steps);

  /// In the order in which they are visited, falling. With as many steps as timesteps and an offset the first
  /// lies outside the table: it can't be stepped from.
  const std::vector<int64_t>& timesteps() const { return timesteps_; }
  /// The noiseless sample that a prediction for `sample` at `timestep` amounts to.
  Tensor denoised(const Tensor& sample, const Tensor& prediction, int64_t timestep) const;
  /// Of the noise that the step from `timestep` adds; at least 1e-20.
  double variance(int64_t timestep) const;
  /// The sample one step on. `noise`, standard normal and of the sample's shape, is taken no notice of at
  /// timestep 0. Throws Error where the timestep isn't in the table.
  Tensor step(const Tensor& sample, const Tensor& prediction, int64_t timestep, const Tensor& noise) const;

 private:
  double alpha(int64_t timestep) const;       ///< cumulative; Error outside the table
  double next_alpha(int64_t timestep) const;  ///< where its step leads to; 1 below timestep 0

  DdpmConfig config_;
  std::vector<float> alphas_;  ///< alphas_cumprod
  int64_t stride_;
  std::vector<int64_t> timesteps_;
};

}  // namespace sr
