#pragma once
// The convolutional parts of VGG-16 and VGG-19 (without batch normalisation). Paper: Simonyan and Zisserman,
// "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015. Code held against:
// torchvision/models/vgg.py.

#include <array>

#include "nets/feature_net.h"

namespace sr {

/// Layers 0 to 30, and 0 to 36, of `features`: five stages of 3x3 convolutions and ReLUs of 64, 128, 256, 512
/// and 512 channels, each with a pool that halves the sides (rounded down). Weights are zero until they are
/// loaded.
FeatureNet vgg16();
FeatureNet vgg19();

/// The last ReLU of each stage of VGG-16; a stage's pool is the layer after.
inline constexpr std::array<int, 5> vgg16_stages = {3, 8, 15, 22, 29};

}  // namespace sr
