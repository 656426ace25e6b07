#pragma once
// ResNet with bottleneck blocks (50, 101, 152), names and strides as torchvision has them (the 3x3
// convolution carries the stride), which timm's `resnet50` shares. Paper: He et al., "Deep Residual Learning
// for Image Recognition", CVPR 2016. Code held against: timm/models/resnet.py resnet50, features_only
// (0.9.16), and torchvision/models/resnet.py (0.14.1).
//
// Weights are zero until they are loaded. A new network is in training mode, where its normalisations use and
// follow each batch's statistics; loading (fill_module.h) puts it into eval mode.

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nets/batch_norm.h"
#include "nets/layers.h"

namespace sr {

/// A convolution without bias and the normalisation after it; two children of whoever holds the pair.
struct NormedConv {
  std::shared_ptr<Conv2d> conv;
  std::shared_ptr<BatchNorm> norm;  ///< null once it is folded

  Tensor forward(const Tensor& input) const;
  /// Lets the convolution do the normalisation as well: its weights are scaled, and it gets a bias.
  void fold();
};

/// Registers both at `parent` by their names; the padding keeps sides, but for the stride.
NormedConv register_normed_conv(torch::nn::Module& parent, const std::string& conv, const std::string& norm,
                                int64_t in, int64_t out, int64_t kernel, int64_t stride = 1);

class ResNetBottleneck : public torch::nn::Module {
 public:
  /// `project`: the shortcut needs a projection (`downsample`).
  ResNetBottleneck(int64_t in, int64_t width, int64_t stride, bool project);
  Tensor forward(const Tensor& input) const;
  void fold();

 private:
  NormedConv reduce_, conv_, expand_, shortcut_;
};

class ResNet : public torch::nn::Module {
 public:
  static constexpr std::array<int64_t, 5> channels = {64, 256, 512, 1024, 2048};  ///< of the five features

  /// `width`: channels after the first convolution; `channels` are for 64.
  explicit ResNet(const std::vector<int64_t>& depths = {3, 4, 6, 3}, int64_t width = channels[0]);
  /// Five features of an image [N,3,H,W] (normalised by ImageNet's mean and deviation): after the first
  /// convolution and its ReLU, and after each of the four layers (fewer if only `levels` of these are
  /// wanted); sides are 1/2 to 1/32, rounded up.
  std::vector<Tensor> features(const Tensor& image, size_t levels = 4) const;
  /// Folds every normalisation into its convolution. For inference only: names and weights are no longer
  /// those of a checkpoint.
  void fold();

 private:
  NormedConv stem_;
  std::vector<std::vector<std::shared_ptr<ResNetBottleneck>>> layers_;
};

/// True for keys that ResNet checkpoints have and `ResNet` has not: the classifier's.
bool spare_in_resnet(const std::string& key);

}  // namespace sr
