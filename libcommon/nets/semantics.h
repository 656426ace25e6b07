#pragma once
// What SeD knows of an image: the features of a network that was trained to recognise things.
// Paper: Li et al., "SeD: Semantic-Aware Discriminator for Image Super-Resolution", CVPR 2024, which takes
// the third level of CLIP's RN50 and compares the other levels and ImageNet's ResNet-50. Code held against:
// SeD models/sed.py CLIP_Semantic_extractor.

#include <memory>

#include "nets/clip_resnet.h"
#include "nets/resnet.h"
#include "weights/state_dict.h"

namespace sr {

struct SemanticsConfig {
  enum class Source { clip, imagenet };  ///< CLIP's RN50, torchvision's ResNet-50

  Source source = Source::clip;
  int level = 3;  ///< 1 to 4: layer1 ... layer4, at 1/4 ... 1/32 of the image's side
  bool operator==(const SemanticsConfig&) const = default;
};

/// In training mode the batch norms use and follow each batch's statistics. The official training script
/// leaves its extractor so; eval mode uses the published statistics.
class SemanticExtractor : public torch::nn::Module {
 public:
  /// Images [N,3,H,W], RGB in [0,1], as they are: neither resized nor cropped -> [N,channels(),H/stride(),
  /// W/stride()]; where a side doesn't divide, CLIP rounds down and ImageNet's network up.
  virtual Tensor forward(const Tensor& images) const = 0;
  virtual int64_t channels() const = 0;
  int64_t stride() const { return int64_t{2} << level_; }
  int level() const { return level_; }

 protected:
  /// Throws Error unless 1 <= level <= 4.
  explicit SemanticExtractor(int level);
  /// Throws Error unless `images` are [N,3,H,W] with sides that leave something at the level.
  void check(const Tensor& images) const;

 private:
  int level_;
};

/// Parameters and buffers carry the tower's own names, as the official extractor's do.
class ClipSemantics : public SemanticExtractor {
 public:
  /// The tower, which must not be folded, is shared.
  ClipSemantics(std::shared_ptr<ModifiedResNet> tower, int level);
  Tensor forward(const Tensor& images) const override;
  int64_t channels() const override;

 private:
  std::shared_ptr<ModifiedResNet> tower_;
};

class ResNetSemantics : public SemanticExtractor {
 public:
  /// `width` of the network (see ResNet).
  ResNetSemantics(std::shared_ptr<ResNet> network, int level, int64_t width = ResNet::channels[0]);
  Tensor forward(const Tensor& images) const override;
  int64_t channels() const override;

 private:
  std::shared_ptr<ResNet> network_;
  int64_t width_;
};

/// From a checkpoint as it was read: OpenAI's RN50, or torchvision's resnet50, of any width and depth. Eval
/// mode, no gradients. Throws Error that lists what doesn't fit.
std::shared_ptr<SemanticExtractor> make_semantics(const SemanticsConfig& config, const StateDict& checkpoint);

/// What an extractor uses of its parameters and buffers: the stem's, and those of the layers up to its level.
StateDict used_tensors(const SemanticExtractor& semantics);

/// An extractor of its used tensors alone, which tell source, level, width and depth. Eval mode, no
/// gradients. Throws Error that lists what doesn't fit.
std::shared_ptr<SemanticExtractor> make_semantics(const StateDict& used);

}  // namespace sr
