#pragma once
// SeD's semantic-aware fusion block (SeFB): warps the semantics of an image by the features that a
// discriminator has of it, and brings them to the features' resolution.
// Paper: Li et al., "SeD: Semantic-Aware Discriminator for Image Super-Resolution", CVPR 2024, Fig. 2c and,
// for the ablations SeD-A, B and C, Fig. 7. Code held against: SeD models/module_attention.py
// ModifiedSpatialTransformer. It has no residual connections: the paper's drawing does, the code hasn't.

#include <memory>
#include <string>
#include <vector>

#include "nets/group_norm.h"
#include "nets/layers.h"
#include "weights/state_dict.h"

namespace sr {

/// What SeD fuses with, and how.
struct SemanticFusionConfig {
  /// What stands between self-attention and feed-forward. The ablations are not published as code; here each
  /// takes cross-attention's place and leaves all else as it is.
  enum class Kind {
    attention,      ///< cross-attention: semantics ask, features answer
    concatenation,  ///< SeD-A: semantics beside the features, averaged onto the semantics' grid; linear layer
    channel,        ///< SeD-B: semantics' channels scaled by what the features' means say (as in SE networks)
    spatial,        ///< SeD-C: semantics' places scaled by the features' mean and maximum (as in CBAM)
  };

  Kind kind = Kind::attention;
  int64_t channels = 1024;  ///< of the semantics; a multiple of 32
  int64_t stride = 16;      ///< side of the image / side of the semantics
  int64_t heads = 1;
  int64_t head_width = 64;
  int64_t depth = 1;  ///< transformer blocks
  bool operator==(const SemanticFusionConfig&) const = default;
};

/// What the keys below a block's prefix ("att1.") tell: all but the stride, and the number of heads, which is
/// taken to be one, as all of sr-train's are. Throws Error where they are missing.
SemanticFusionConfig detect_fusion(const StateDict& weights, const std::string& prefix);

/// Where a fusion block stands.
struct FusionPlace {
  int64_t channels = 128;  ///< of the features
  int64_t stride = 4;      ///< side of the image / side of the features
  /// The features are one pixel smaller than that: the block ends in a 4x4 convolution with padding 1.
  bool one_smaller = false;
};

/// Every query looks at all keys. Names are those of latent diffusion: `to_q`, `to_k`, `to_v` without biases,
/// `to_out.0`.
class SedAttention : public torch::nn::Module {
 public:
  SedAttention(int64_t heads, int64_t head_width);
  /// [N,L,width], [N,S,width] -> [N,L,width], the width being heads * head_width.
  Tensor forward(const Tensor& queries, const Tensor& memory) const;

 private:
  int64_t heads_;
  std::shared_ptr<Linear> to_q_, to_k_, to_v_, to_out_;
};

/// What puts the features into the semantics.
class SemanticMixer : public torch::nn::Module {
 public:
  /// Tokens [N,h w,width] of the semantics on the `grid` {h, w}, features [N,width,H,W] -> tokens.
  virtual Tensor forward(const Tensor& tokens, at::IntArrayRef grid, const Tensor& features) const = 0;
};

/// norm1, attn1, norm2, the mixer (`attn2`), norm3, feed-forward with GEGLU; no residuals.
class SedBlock : public torch::nn::Module {
 public:
  explicit SedBlock(const SemanticFusionConfig& config);
  Tensor forward(const Tensor& tokens, at::IntArrayRef grid, const Tensor& features) const;

 private:
  std::shared_ptr<SedAttention> attn1_;
  std::shared_ptr<SemanticMixer> attn2_;
  std::shared_ptr<LayerNorm> norm1_, norm2_, norm3_;
  std::shared_ptr<Linear> ff_in_, ff_out_;
};

class SemanticFusion : public torch::nn::Module {
 public:
  /// Throws Error where semantics of so many channels can't be grouped, or not spread over so many pixels.
  SemanticFusion(const SemanticFusionConfig& config, const FusionPlace& place);
  /// Semantics [N,C,h,w], features [N,channels,H,W] -> [N,out_channels(),H',W'], where H' is h times the
  /// ratio of the strides (less one if `one_smaller`). Semantics that are finer than the features are
  /// averaged first.
  Tensor forward(const Tensor& semantics, const Tensor& features) const;
  int64_t out_channels() const { return out_channels_; }
  /// As the official constructor leaves it: nothing of the semantics comes through.
  void zero_projection();

 private:
  Tensor at_grid(const Tensor& semantics) const;
  /// Channels into space: [N,c f f,h,w] -> [N,c,h f,w f], the column's index before the row's, which is a
  /// pixel shuffle with rows and columns exchanged.
  Tensor unfolded(const Tensor& map) const;

  int64_t enlargement_, reduction_, out_channels_;
  std::shared_ptr<GroupNorm> norm_;
  std::shared_ptr<Conv2d> proj_in_, proj_context_, proj_out_, conv_out_;
  std::vector<std::shared_ptr<SedBlock>> blocks_;
};

/// As PyTorch begins (see draw.h), with every fusion block below `module` as its official constructor leaves
/// it.
void draw_with_fusion(torch::nn::Module& module, const at::Generator& generator);

}  // namespace sr
