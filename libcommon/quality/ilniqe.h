#pragma once
// IL-NIQE, the integrated local natural image quality evaluator: Zhang, Zhang and Bovik, "A Feature-Enriched
// Completely Blind Image Quality Evaluator", 2015. Lower is better.
// Source: chaofengc/IQA-PyTorch pyiqa/archs/niqe_arch.py ilniqe, whose numbers these are; the authors' MATLAB
// program answers up to 3.3 % differently.
//
// Protocol: RGB in 0..255, rounded to integers, resized to 524 x 524 (MATLAB's bicubic with antialiasing,
// whatever the aspect ratio) and clipped, cropped to 504 x 504; 36 blocks of 84 x 84. At this size and at
// half of it 234 features a block: NIQE's 18 of the third opponent colour; Weibull fits to gradients of the
// opponent colours; moments of logarithmic colours; fits to derivatives, and to log-Gabor responses with
// their derivatives and gradients. After a projection to 430 components, the mean distance of the blocks to a
// model of pristine ones.
//
// An image is [1, 3, H, W], RGB in [0, 1], or [1, 1, H, W], which is taken as RGB. Error where it is
// constant, not finite, or has no block with texture.

#include <array>
#include <string>

#include "core/torch.h"
#include "quality/gaussian_derivative.h"
#include "quality/gaussian_model.h"
#include "quality/log_gabor.h"
#include "weights/state_dict.h"

namespace sr {

/// The parameters under these names, whatever the file: the authors' ILNIQE_templateModel.mat has them as the
/// cells of `templateModel`.
StateDict ilniqe_parameters(const StateDict& checkpoint);

class IlNiqe {
 public:
  /// Of `mu_pris_param` [430], `cov_pris_param` [430, 430], `principle_vectors` [468, 430] and
  /// `mean_of_sample_data` [468]. Throws Error that names the key which is missing or has another shape.
  explicit IlNiqe(const StateDict& parameters);

  double operator()(const Tensor& image) const;
  /// Float64 [36, 468], column after column of blocks: 234 at full size, 234 at half; neither clipped nor
  /// projected. NaN where a block has nothing to fit.
  Tensor features(const Tensor& image) const;
  /// The protocol in one line.
  std::string describe() const;

 private:
  /// What one of the two sizes is filtered with.
  struct Filters {
    std::int64_t block;  ///< the side of a block
    GaussianDerivative derivative;
    LogGaborBank bank;
  };

  GaussianModel model_;
  Tensor components_, centre_;
  std::array<Filters, 2> filters_;
};

}  // namespace sr
