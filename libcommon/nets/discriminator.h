#pragma once
// What every discriminator offers, and the one way to make it.
//
// Parameters and buffers carry the official checkpoints' names. Spectral and batch norms follow the module's
// mode: in training every forward pass moves singular vectors and running statistics.

#include <memory>
#include <torch/nn/module.h>

#include "core/torch.h"
#include "nets/sed_fusion.h"
#include "weights/state_dict.h"

namespace sr {

struct DiscriminatorConfig {
  enum class Kind {
    unet,      ///< Real-ESRGAN's U-Net: scores of every pixel
    vgg,       ///< BasicSR's VGG-style network: one score an image, which has one size
    patchgan,  ///< KAIR's PatchGAN: scores of patches
    nlayer,    ///< pix2pix's PatchGAN
    sed_p,     ///< SeD on a PatchGAN
    sed_u,     ///< SeD on the U-Net
    sed_v,     ///< SeD on the VGG-style network
  };
  enum class PatchNorm { spectral, batch, instance, batch_spectral, none };

  Kind kind = Kind::unet;
  int64_t in_channels = 3;
  int64_t width = 64;                    ///< channels of the first convolution
  bool skips = true;                     ///< unet, sed_u: the decoder adds the encoder's features
  int64_t image_size = 128;              ///< vgg, sed_v: side of the images, 128 or 256
  int64_t layers = 3;                    ///< patchgan, nlayer: convolutions of stride 2
  PatchNorm norm = PatchNorm::spectral;  ///< patchgan
  SemanticFusionConfig fusion = {};      ///< sed_p, sed_u, sed_v

  bool semantic() const { return kind == Kind::sed_p || kind == Kind::sed_u || kind == Kind::sed_v; }
  bool operator==(const DiscriminatorConfig&) const = default;
};

class Discriminator : public torch::nn::Module {
 public:
  explicit Discriminator(const DiscriminatorConfig& config) : config_(config) {}

  /// Images [N,in_channels,H,W] in [0,1] -> scores (logits): [N,1,H',W'], or [N,1] from the VGG-style ones.
  /// `semantics` [N,C,H/stride,W/stride] of the fusion's C and stride; undefined where there is no fusion.
  /// Throws Error where a size doesn't fit.
  Tensor forward(const Tensor& image, const Tensor& semantics) { return scores(features(image, semantics)); }
  /// What the last layer, which scores, is given of such images: [N,feature_channels(),H",W"], or
  /// [N,feature_channels()] in the VGG-style ones. Throws as `forward` does.
  virtual Tensor features(const Tensor& image, const Tensor& semantics) = 0;
  virtual int64_t feature_channels() const = 0;
  /// Draws weights as the official code begins with (see draw.h).
  virtual void draw(const at::Generator& generator);
  const DiscriminatorConfig& config() const { return config_; }

 protected:
  static constexpr double leaky_slope = 0.2;

  /// The last layer.
  virtual Tensor scores(const Tensor& features) = 0;

  /// Throws Error unless this is a batch of images with `in_channels` channels.
  void check_image(const Tensor& image) const;
  /// The same, and that the semantics fit the images.
  void check_inputs(const Tensor& image, const Tensor& semantics) const;

 private:
  DiscriminatorConfig config_;
};

/// In training mode; weights are zero until they are drawn or loaded (`copy_weights`). Throws Error where the
/// configuration makes no sense.
std::shared_ptr<Discriminator> make_discriminator(const DiscriminatorConfig& config);

/// The configuration behind the keys of a checkpoint of any kind. What they don't tell is as the official
/// networks have it: the U-Nets' skips, one head in SeD's fusion. Throws Error where they are no
/// discriminator's, or a PatchGAN's of which they don't tell whether it normalises.
DiscriminatorConfig discriminator_config(const StateDict& weights);

/// A discriminator for inference from such a checkpoint: eval mode, float32, no gradients. Throws Error that
/// lists what doesn't fit.
std::shared_ptr<Discriminator> make_trained_discriminator(const DiscriminatorConfig& config,
                                                          const StateDict& weights);

}  // namespace sr
