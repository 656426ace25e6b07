#pragma once
// The convolutional parts of VGG-16 and VGG-19 (without batch normalisation). Paper: Simonyan and Zisserman,
// "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015. Code held against:
// torchvision/models/vgg.py; layer names: BasicSR basicsr/archs/vgg_arch.py NAMES.

#include <array>
#include <optional>
#include <string>

#include "nets/feature_net.h"

namespace sr {

enum class VggDepth { vgg16, vgg19 };

/// What perceptual losses do otherwise than torchvision.
struct VggOptions {
  int64_t width = 64;  ///< channels of the first stage; the others have 2, 4, 8 and 8 times as many
  /// Of the 2x2 pools; none: no pools, yet their numbers stay.
  std::optional<int64_t> pooling_stride = 2;
  std::optional<int> layers;  ///< only the first so many
};

/// Layers 0 to 30, and 0 to 36, of `features`: five stages of 3x3 convolutions and ReLUs, each with a pool
/// that halves the sides (rounded down). Weights are zero until they are loaded.
FeatureNet make_vgg(VggDepth depth, const VggOptions& options = {});
inline FeatureNet vgg16() { return make_vgg(VggDepth::vgg16); }
inline FeatureNet vgg19() { return make_vgg(VggDepth::vgg19); }

/// The last ReLU of each stage of VGG-16; a stage's pool is the layer after.
inline constexpr std::array<int, 5> kVgg16Stages = {3, 8, 15, 22, 29};

/// Number of the layer called `conv3_4` (stage 3, fourth convolution), `relu3_4`, `pool3`, or `16` (the
/// number itself). Throws Error where there is none.
int vgg_layer(VggDepth depth, const std::string& name);

}  // namespace sr
