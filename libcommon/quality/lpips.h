#pragma once
// LPIPS: how far apart two images are for a classifier's features, channels weighted as people's judgements
// taught. Paper: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR
// 2018. Source: richzhang/PerceptualSimilarity lpips/lpips.py LPIPS.forward (@082bb24).
//
// Images are [1,3,H,W] RGB in [0,1], on the CPU, as large as they are: no resizing and no cropping. At every
// position a layer's features are divided by their length over the channels; squared differences of the two
// images are weighted, summed over the channels and averaged over the positions; the layers are summed. 0 for
// equal images, mostly below 1; lower is better. Symmetric.
//
// Weights are torchvision's alexnet-owt-7be5be79.pth, vgg16-397923af.pth, squeezenet1_1-b8a52dc0.pth, and the
// linear layers that come with the official code, lpips/weights/v0.{0,1}/{alex,vgg,squeeze}.pth.

#include <string>
#include <vector>

#include "nets/feature_net.h"

namespace sr {

enum class LpipsNet { alex, vgg, squeeze };
/// v0.0 shows the network images in [-1,1]; v0.1, which everybody reports, normalises them as ImageNet's, and
/// has other linear layers.
enum class LpipsVersion { v0_0, v0_1 };

class Lpips {
 public:
  /// `backbone`: torchvision's checkpoint; `linear`: `lin0.model.1.weight` [1,C,1,1], ... Throws Error that
  /// lists what doesn't fit.
  Lpips(LpipsNet net, LpipsVersion version, const StateDict& backbone, const StateDict& linear);

  /// Throws Error where sizes differ or the network's pools find nothing: sides under 31 pixels (AlexNet), 16
  /// (VGG-16), 17 (SqueezeNet).
  double operator()(const Tensor& image, const Tensor& reference) const;
  /// What each layer adds to it.
  std::vector<double> layers(const Tensor& image, const Tensor& reference) const;
  /// Where the images differ, [H,W]: each layer's distances enlarged bilinearly, summed.
  Tensor spatial(const Tensor& image, const Tensor& reference) const;
  /// The features of [N,3,H,W] that are compared, not divided by anything: [N,C,h,w] for each layer.
  std::vector<Tensor> features(const Tensor& images) const;
  /// One line for the header of a table.
  std::string describe() const;

 private:
  /// [h,w] for each layer.
  std::vector<Tensor> distances(const Tensor& image, const Tensor& reference) const;

  LpipsNet net_;
  LpipsVersion version_;
  std::vector<Tensor> weights_;  ///< [C] for each layer
  FeatureNet network_;
};

}  // namespace sr
