#pragma once
// SFD's adversarial loss on CLIP's features: binary cross-entropy of Feat-D's map of scores, HR images real,
// restored ones fake. Paper: Dong et al., "Exploring Semantic Feature Discrimination for Perceptual Image
// Super-Resolution and Opinion-Unaware No-Reference Image Quality Assessment", CVPR 2025, Sec. 3.1, Eq. 1, 2
// (which print the two kinds exchanged; what is meant is that the score of HR images rises).

#include <array>

#include "nets/feat_d.h"

namespace sr {

using FeatureLevels = std::array<Tensor, 3>;  ///< CLIP's F1, F2, F3, see nets/feat_d.h

/// How far from real the restored images' features are taken to be; a number. The gradient passes through
/// Feat-D to the features. In training mode each forward pass moves the spectral norms.
Tensor feat_d_generator_loss(FeatD& feat_d, const FeatureLevels& restored);

/// One half of the discriminator's loss each; the whole is their sum. No gradient reaches the features.
Tensor feat_d_real_loss(FeatD& feat_d, const FeatureLevels& real);
Tensor feat_d_fake_loss(FeatD& feat_d, const FeatureLevels& restored);

}  // namespace sr
