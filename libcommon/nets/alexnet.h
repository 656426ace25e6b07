#pragma once
// AlexNet's convolutional part, in torchvision's one-column form. Paper: Krizhevsky, "One weird trick for
// parallelizing convolutional neural networks", 2014. Code held against: torchvision/models/alexnet.py.

#include "nets/feature_net.h"

namespace sr {

/// Layers 0 to 12 of `features`; ReLUs are 1, 4, 7, 9, 11, with 64, 192, 384, 256, 256 channels. Weights are
/// zero until they are loaded.
FeatureNet alexnet();

}  // namespace sr
