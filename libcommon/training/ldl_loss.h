#pragma once
// Locally discriminative learning: a difference that counts where the generator makes artifacts.
// Paper: Liang et al., "Details or Artifacts: A Locally Discriminative Learning Approach to Realistic Image
// Super-Resolution", CVPR 2022. Source: LDL basicsr/losses/LDL_loss.py get_refined_artifact_map,
// basicsr/models/esrganArtifactsDis_model.py (@2d22ddd).

#include "core/torch.h"

namespace sr {

struct LdlLoss {
  double weight = 1;
  int64_t window = 7;  ///< side, odd, in pixels, of the local variance

  /// Of the generator's output; `average` is the output of its moving average (EMA), `target` the HR image:
  /// [N,C,H,W] each, sides over half of `window`. The L1 distance of output and target, both times the
  /// artifact map, which isn't detached: the output's gradient passes through it as well.
  Tensor operator()(const Tensor& output, const Tensor& average, const Tensor& target) const;
};

/// [N,1,H,W]: an image's variance of residuals (summed over the channels) to the power 1/5, times the local
/// variance, and 0 where the average's residual is larger than the output's.
Tensor artifact_map(const Tensor& output, const Tensor& average, const Tensor& target, int64_t window);

/// Unbiased variance of the values [N,1,H,W] in a window around each, reflected at the border.
/// Throws Error where `window` is even or below 3.
Tensor local_variance(const Tensor& values, int64_t window);

}  // namespace sr
