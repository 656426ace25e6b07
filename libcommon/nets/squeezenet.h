#pragma once
// SqueezeNet 1.1's convolutional part. Paper: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x
// fewer parameters", 2016. Code held against: torchvision/models/squeezenet.py squeezenet1_1.

#include "nets/feature_net.h"

namespace sr {

/// Layers 0 to 12 of `features`: ReLU 1 has 64 channels; Fires 4, 7, 9, 10, 11, 12 have 128, 256, 384, 384,
/// 512, 512. Pools round sides up. Weights are zero until they are loaded.
FeatureNet squeezenet();

}  // namespace sr
