#pragma once
// Differences of images, pixel by pixel. Source: BasicSR basicsr/losses/basic_loss.py L1Loss, MSELoss,
// CharbonnierLoss, WeightedTVLoss; loss_util.py weight_reduce_loss (@8d56e3a). Charbonnier's: Lai et al.,
// "Deep Laplacian Pyramid Networks for Fast and Accurate Super-Resolution", CVPR 2017, Eq. 5. PSNR: NAFNet
// basicsr/models/losses/losses.py PSNRLoss, of all colours.
//
// All take tensors of any float type and device and are differentiable with respect to both.

#include "core/torch.h"

namespace sr {

enum class Reduction { none, mean, sum };

/// Numbers [N,C,H,W], one a pixel and channel, times the weight map [N,1,H,W] or [N,C,H,W] (undefined: none).
/// The mean is over the weights: a sum divided by theirs, a map of one channel counting for every channel.
Tensor reduced(const Tensor& values, const Tensor& weight_map, Reduction reduction);

struct PixelLoss {
  enum class Criterion {
    l1,
    mse,
    charbonnier,
    psnr,  ///< minus the PSNR in dB of each image, whose mean squared error counts 1e-8 more; no weight map
  };

  Criterion criterion = Criterion::l1;
  double weight = 1;
  Reduction reduction = Reduction::mean;
  double epsilon = 1e-12;  ///< of Charbonnier's: sqrt(difference^2 + epsilon)

  /// [N,C,H,W] (psnr: [N]), or a number where it is reduced.
  Tensor operator()(const Tensor& prediction, const Tensor& target, const Tensor& weight_map = {}) const;
};

/// Total variation: L1 between vertical neighbours plus L1 between horizontal ones, each reduced by itself.
/// Of a pair, the upper or left one's weight counts.
struct TotalVariationLoss {
  double weight = 1;
  Reduction reduction = Reduction::mean;  ///< mean or sum; throws Error for none, the two differing in shape

  Tensor operator()(const Tensor& images, const Tensor& weight_map = {}) const;
};

}  // namespace sr
