#pragma once
// SFD's two discriminators, which also make its measure of quality: Feat-D reads CLIP's features of an image
// and answers a map of scores, TG-D compares the image's feature with learnt pairs of prompts.
// Paper: Dong et al., "Exploring Semantic Feature Discrimination for Perceptual Image Super-Resolution and
// Opinion-Unaware No-Reference Image Quality Assessment", CVPR 2025. No official code is published; what the
// paper leaves open is settled here:
//   widths: w = 64 channels at the finest level, twice as many at each coarser one (see `FeatD`);
//   kernels 3x3, padding 1, with biases; LeakyReLU of slope 0.2; bilinear without aligned corners;
//   TG-D multiplies cosines by CLIP's exp(logit_scale) before the softmax, as CLIP-IQA does;
//   a learnt prompt is CLIP's start token, its L vectors, CLIP's end token.
//
// Checkpoints ("SFD format"), any container that weights/checkpoint.h reads:
//   feat_d.LAYER.weight_orig [out,in,3,3], .bias [out], .weight_u [out], .weight_v [in * 9]
//     (spectral normalisation as PyTorch's torch.nn.utils.spectral_norm saves it), LAYER one of
//     up3.conv1, up3.conv2, conv3, up2.conv1, up2.conv2, conv2, up1.conv1, up1.conv2, head.0 ... head.3
//   tg_d.positive, tg_d.negative [N,L,width of CLIP's text tower]
// All sizes are read off the tensors' shapes.

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "nets/clip.h"
#include "nets/spectral_conv.h"
#include "weights/state_dict.h"

namespace sr {

struct FeatDConfig {
  std::array<int64_t, 3> channels = {256, 512, 1024};  ///< of CLIP's F1 (1/4), F2 (1/8), F3 (1/16)
  int64_t width = 64;                                  ///< at the finest level
  bool operator==(const FeatDConfig&) const = default;
};

/// The paper's upsampling layer: convolution, LeakyReLU, twice the size, convolution.
class FeatDUpsampling : public torch::nn::Module {
 public:
  FeatDUpsampling(int64_t in, int64_t out);
  /// `size` of the output.
  Tensor forward(const Tensor& input, at::IntArrayRef size);

  std::shared_ptr<SpectralConv2d> conv1, conv2;
};

/// F3 -> up3 (4w channels) -> conv3 -> with F2 -> up2 (2w) -> conv2 -> with F1 -> up1 (w) -> head: three
/// convolutions of w channels, one to the map. A LeakyReLU stands before conv3, conv2 and each of the head's.
class FeatD : public torch::nn::Module {
 public:
  explicit FeatD(const FeatDConfig& config = {});
  /// Features [N,C,H,W] of `config().channels` -> scores (logits) [N,1,2 H1,2 W1], which is half the image's
  /// size. Where a coarse side isn't half the finer one, it is brought to it.
  Tensor forward(const std::array<Tensor, 3>& levels);
  /// What the last convolution, which scores, is given: [N,width,2 H1,2 W1].
  Tensor features(const std::array<Tensor, 3>& levels);
  void draw(const std::optional<at::Generator>& generator = std::nullopt);
  /// For inference only: divides the spectral norms out once and for all.
  void fold();
  const FeatDConfig& config() const { return config_; }

 private:
  std::vector<std::shared_ptr<SpectralConv2d>> convs() const;

  FeatDConfig config_;
  std::array<std::shared_ptr<FeatDUpsampling>, 3> up_;  ///< 1, 2, 3
  std::shared_ptr<SpectralConv2d> conv3_, conv2_;
  std::vector<std::shared_ptr<SpectralConv2d>> head_;
};

struct PromptPairsConfig {
  int64_t pairs = 1;    ///< N: 5 for classical super-resolution, 1 for real-world and for the measure
  int64_t tokens = 64;  ///< L: 32 and 64
  int64_t width = 512;  ///< of CLIP's text tower
  bool operator==(const PromptPairsConfig&) const = default;
};

/// TG-D: pairs of learnt prompts, one that good images are like and one that bad images are like.
class PromptPairs : public torch::nn::Module {
 public:
  explicit PromptPairs(const PromptPairsConfig& config = {});
  /// Their text features [2N,C], positive and negative in turn.
  Tensor texts(const ClipText& text) const;
  /// Normal with deviation 0.02, as CoOp begins.
  void draw(const std::optional<at::Generator>& generator = std::nullopt);

  Tensor positive, negative;  ///< [N,L,width]
};

/// Both, under the names of the SFD format.
class SfdDiscriminators : public torch::nn::Module {
 public:
  SfdDiscriminators(const FeatDConfig& feat, const PromptPairsConfig& prompts);

  std::shared_ptr<FeatD> feat_d;
  std::shared_ptr<PromptPairs> tg_d;
};

/// From a checkpoint in the SFD format: eval mode, float32, no gradients. Throws Error that lists what
/// doesn't fit.
std::shared_ptr<SfdDiscriminators> make_sfd(const StateDict& checkpoint);

}  // namespace sr
