#pragma once
// CLIP's convolutional image tower. Paper: Radford et al., "Learning Transferable Visual Models From Natural
// Language Supervision", ICML 2021. Code held against: openai/CLIP clip/model.py ModifiedResNet.
//
// A ResNet with a stem of three convolutions, average pooling in place of every stride, and attention pooling
// at the end. Sides of the features are 1/4, 1/8, 1/16, 1/32 of the image's, rounded down (the stem's first
// half rounds up).

#include <array>
#include <memory>
#include <vector>

#include "nets/clip_visual.h"
#include "nets/resnet.h"
#include "nets/winograd.h"

namespace sr {

struct ClipResNetConfig {
  std::vector<int64_t> layers = {3, 4, 6, 3};  ///< blocks of each level
  int64_t width = 64;                          ///< channels after the stem; layer N has 4 * 2^(N-1) as many
  int64_t output_dim = 1024;                   ///< of the image feature; 0: no attention pool, features alone
  int64_t heads = 32;                          ///< of the attention pool; OpenAI's have width / 2
  int64_t input_resolution = 224;              ///< of the images that the pool's positions fit

  int64_t channels(size_t level) const { return 4 * width << level; }  ///< of layer1, 2, 3, 4
  /// Side of the last features for images of `input_resolution`.
  int64_t pool_side() const { return input_resolution / 32; }
  bool operator==(const ClipResNetConfig&) const = default;
};

/// A convolution, its normalisation, and a ReLU where one follows.
struct ClipConv {
  ClipConv() = default;
  ClipConv(NormedConv plain) : pair(std::move(plain)) {}  // NOLINT: it is one, perhaps a faster one

  NormedConv pair;
  std::shared_ptr<const WinogradConv> fast;  ///< null: not folded, or not for such a layer

  Tensor forward(const Tensor& input, bool relu) const;
  void fold();
};

/// 1x1, 3x3, pooling, 1x1, each convolution normalised; plus the shortcut, which pools too.
class ClipBottleneck : public torch::nn::Module {
 public:
  ClipBottleneck(int64_t in, int64_t planes, int64_t stride);
  Tensor forward(const Tensor& input) const;
  void fold();

 private:
  int64_t stride_;
  ClipConv reduce_, conv_, expand_, shortcut_;
};

/// One token that looks at all places and at their mean, which is also what it asks with.
class ClipAttentionPool : public torch::nn::Module {
 public:
  explicit ClipAttentionPool(const ClipResNetConfig& config);
  /// What becomes of the positional embedding.
  enum class Position {
    fixed,    ///< added, as in CLIP: the features must have the side that it was made for
    none,     ///< left out, as in CLIP-IQA: any size
    resized,  ///< tokens and channels resized as one picture (bicubic), as in pyiqa's CLIP-IQA+: any size
  };
  /// [N,C,H,W] -> [N,output_dim].
  Tensor forward(const Tensor& features, Position position) const;

  Tensor positional_embedding;  ///< [1 + pool_side^2, C]
  std::shared_ptr<Linear> k_proj, q_proj, v_proj, c_proj;

 private:
  Tensor positions(Position position, int64_t tokens) const;

  int64_t heads_;
};

class ModifiedResNet : public ClipVisual {
 public:
  using Position = ClipAttentionPool::Position;

  explicit ModifiedResNet(const ClipResNetConfig& config = {});
  /// Images [N,3,H,W], normalised by CLIP's mean and deviation -> [N,output_dim].
  Tensor forward(const Tensor& images) const override;
  /// What comes out of the stem (1/4) and of the first `levels` levels: [N,C,H,W] each.
  std::vector<Tensor> features(const Tensor& images, size_t levels = 4) const;
  /// The image feature, from the last level's.
  Tensor pooled(const Tensor& last, Position position) const { return attnpool_->forward(last, position); }
  /// Folds every normalisation into its convolution. For inference only: names and weights are no longer
  /// those of a checkpoint.
  void fold();
  const ClipResNetConfig& config() const { return config_; }
  /// Shortest side of an image that leaves something at 1/32.
  static constexpr int64_t least_side = 31;

 private:
  ClipResNetConfig config_;
  std::array<ClipConv, 3> stem_;
  std::vector<std::vector<std::shared_ptr<ClipBottleneck>>> layers_;
  std::shared_ptr<ClipAttentionPool> attnpool_;
};

}  // namespace sr
