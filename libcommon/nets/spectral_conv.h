#pragma once
// A convolution under spectral normalisation: its weights are divided by an estimate of their largest
// singular value. Paper: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR
// 2018. Code held against: PyTorch torch/nn/utils/spectral_norm.py SpectralNorm.compute_weight (one power
// iteration, epsilon 1e-12).

#include <optional>

#include "nets/feature_net.h"

namespace sr {

/// Parameters `weight_orig` [out,in,kernel,kernel] and `bias` [out]; buffers `weight_u` [out] and `weight_v`
/// [in * kernel^2], the singular vectors as far as they are known.
class SpectralConv2d : public torch::nn::Module {
 public:
  /// All weights are zero until they are loaded or drawn, and until then the layer answers no numbers.
  SpectralConv2d(int64_t in, int64_t out, const ConvOptions& options = {});
  /// In training every forward pass first improves the singular vectors by one iteration.
  Tensor forward(const Tensor& input);
  /// Weights as a new torch.nn.Conv2d draws them, singular vectors as a new SpectralNorm does.
  void draw(const std::optional<at::Generator>& generator = std::nullopt);
  /// Divides once and for all, and makes inference on the CPU faster: for inference only.
  void fold();

  Tensor weight_orig, bias, weight_u, weight_v;

 private:
  Tensor divided() const;
  void iterate();

  ConvOptions options_;
  FeatureConv folded_;  ///< its layer is null until `fold`
};

}  // namespace sr
