#pragma once
// The autoencoder that latent diffusion draws within: pictures to Gaussians over latents, and back. Paper:
// Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models", CVPR 2022. Code held
// against: huggingface/diffusers src/diffusers/models/autoencoder_kl.py AutoencoderKL, vae.py Encoder,
// Decoder, DiagonalGaussianDistribution (v0.21.0).

#include <memory>
#include <vector>

#include "nets/autoencoder_kl_config.h"
#include "nets/vae_blocks.h"
#include "weights/state_dict.h"

namespace sr {

/// Independent Gaussians, [N,latents,h,w] of them, float32.
struct DiagonalGaussian {
  /// From means and logarithms of variances, one below the other: [N,2 latents,h,w]. The logarithms are kept
  /// within [-30,20].
  explicit DiagonalGaussian(const Tensor& moments);
  Tensor deviation() const { return at::exp(0.5 * log_variance); }
  /// `noise`: standard normal, of the mean's shape.
  Tensor sample(const Tensor& noise) const { return mean + deviation() * noise; }

  Tensor mean, log_variance;
};

/// The encoder or the decoder: they differ in their levels' order, and in where the middle stands.
class VaeHalf : public torch::nn::Module {
 public:
  enum class Kind { encoder, decoder };

  VaeHalf(Kind kind, const AutoencoderKlConfig& config);
  /// Encoder: [N,in_channels,H,W] -> [N,2 latents,H/factor,W/factor]; decoder: [N,latents,h,w] ->
  /// [N,out_channels,factor h,factor w]; in the input's type.
  VaeSteps steps() const;

 private:
  Kind kind_;
  std::shared_ptr<Conv2d> conv_in_, conv_out_;
  std::vector<std::shared_ptr<VaeLevel>> levels_;
  std::shared_ptr<VaeMiddle> middle_;
  std::shared_ptr<GroupNorm> norm_;
};

class AutoencoderKl : public torch::nn::Module {
 public:
  /// How the steps of the encoder or the decoder are taken: [N,C,H,W] -> [N,C',H',W'].
  using Runner = std::function<Tensor(const VaeSteps& steps, const Tensor& input)>;

  /// Throws Error where numbers don't go together.
  explicit AutoencoderKl(const AutoencoderKlConfig& config);
  /// Pictures [N,in_channels,H,W] in [-1,1] -> latents of H / factor rows and W / factor columns, rounded
  /// down. Throws Error for pictures that come to none.
  DiagonalGaussian encode(const Tensor& images, const Runner& run = run_steps) const;
  /// Latents [N,latents,h,w] -> pictures [N,out_channels,factor h,factor w], about [-1,1], float32.
  Tensor decode(const Tensor& latents, const Runner& run = run_steps) const;

  const AutoencoderKlConfig& config() const { return config_; }
  /// Of a picture's side to its latents' side: 8 for Stable Diffusion's.
  int64_t factor() const { return int64_t{1} << (config_.channels.size() - 1); }

 private:
  AutoencoderKlConfig config_;
  std::shared_ptr<VaeHalf> encoder_, decoder_;
  std::shared_ptr<Conv2d> quant_conv_, post_quant_conv_;
};

/// The checkpoint's tensors under this code's names: published files call the attention's layers `query`,
/// `key`, `value` and `proj_attn`, and some have them as convolutions [C,C,1,1].
StateDict autoencoder_kl_weights(const StateDict& checkpoint);

/// From a checkpoint as it was read: eval mode, no gradients. Throws Error that lists what is missing,
/// unexpected or misshapen.
std::shared_ptr<AutoencoderKl> make_autoencoder_kl(const AutoencoderKlConfig& config,
                                                   const StateDict& checkpoint);

}  // namespace sr
