#pragma once
// DISTS: how alike two images are in structure and texture, by VGG-16's features; textures of one kind count
// as alike wherever their details lie. Paper: Ding et al., "Image Quality Assessment: Unifying Structure and
// Texture Similarity", TPAMI 2020. Source: dingkeyan93/DISTS DISTS_pytorch/DISTS_pt.py DISTS.forward,
// prepare_image (@1267d8c).
//
// Images are [1,3,H,W] RGB in [0,1], on the CPU, of any size. The image itself and the five stages of VGG-16
// (ImageNet's mean and deviation, L2 pooling in place of the maximum) are compared channel by channel: means
// as SSIM's luminance is, variances (biased) and covariance as its structure. 0 for equal images, up to 1;
// lower is better. Symmetric. The authors shrink large images before, see `dists_resized`; pyiqa does not.
//
// Weights are torchvision's vgg16-397923af.pth and the authors' weights.pt (`alpha`, `beta`).

#include <string>

#include "nets/feature_net.h"

namespace sr {

class Dists {
 public:
  /// Throws Error that lists what doesn't fit.
  Dists(const StateDict& vgg16, const StateDict& weights);

  /// Throws Error where sizes differ.
  double operator()(const Tensor& image, const Tensor& reference) const;
  /// One line for the header of a table.
  std::string describe() const;

 private:
  Tensor shares_;  ///< float64 [2,1475], of the means (alpha) and of the structure (beta); they sum to 1
  FeatureNet network_;
};

/// What the authors' program does before: where the shorter side is over 256, it becomes 256, by PIL's
/// bilinear, antialiased, on the 8-bit grid. `image` [1,3,H,W] in [0,1] is on that grid too.
Tensor dists_resized(const Tensor& image);

/// [N,C,H,W] -> [N,C,(H+1)/2,(W+1)/2], float32 on the CPU: the root of the squares' mean by a 3x3 Hann window
/// (zeros beyond the border). Channels-last.
Tensor l2_pool(const Tensor& map);

}  // namespace sr
