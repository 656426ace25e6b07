#pragma once
// ResNet with bottleneck blocks (50, 101, 152), names and strides as torchvision has them (the 3x3
// convolution carries the stride), which timm's `resnet50` shares. Paper: He et al., "Deep Residual Learning
// for Image Recognition", CVPR 2016. Code held against: timm/models/resnet.py resnet50, features_only
// (0.9.16).

#include <array>
#include <memory>
#include <vector>

#include "nets/layers.h"

namespace sr {

/// Batch normalisation by running statistics (buffers `running_mean`, `running_var`); epsilon 1e-5.
class BatchNorm : public torch::nn::Module {
 public:
  explicit BatchNorm(int64_t features);
  Tensor forward(const Tensor& input) const;

  Tensor weight, bias, running_mean, running_var;
};

/// A convolution without bias and the normalisation after it; two children of whoever holds the pair.
struct NormedConv {
  std::shared_ptr<Conv2d> conv;
  std::shared_ptr<BatchNorm> norm;  ///< null once it is folded

  Tensor forward(const Tensor& input) const;
  /// Lets the convolution do the normalisation as well: its weights are scaled, and it gets a bias.
  void fold();
};

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

  explicit ResNet(const std::vector<int64_t>& depths = {3, 4, 6, 3});
  /// Five features of an image [N,3,H,W] (normalised by ImageNet's mean and deviation): after the first
  /// convolution and its ReLU, and after each of the four layers; sides are 1/2 to 1/32, rounded up.
  std::vector<Tensor> features(const Tensor& image) const;
  /// Folds every normalisation into its convolution. For inference only: names and weights are no longer
  /// those of a checkpoint.
  void fold();

 private:
  NormedConv stem_;
  std::vector<std::vector<std::shared_ptr<ResNetBottleneck>>> layers_;
};

/// True for keys that ResNet checkpoints have and `ResNet` has not: step counts of the normalisations and the
/// classifier.
bool spare_in_resnet(const std::string& key);

}  // namespace sr
