#pragma once
// CLIP as a whole: an image tower and a text tower whose features are compared by their angle.
// Paper: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021.
// Code held against: openai/CLIP clip/model.py CLIP, build_model. Names are those of OpenAI's files: the text
// tower's at the top, the image tower's under `visual.`.

#include <memory>
#include <utility>
#include <variant>

#include "nets/clip_resnet.h"
#include "nets/clip_transformer.h"
#include "weights/state_dict.h"

namespace sr {

struct ClipConfig {
  std::variant<ClipResNetConfig, ClipVitConfig> visual;
  ClipTextConfig text;
  bool operator==(const ClipConfig&) const = default;
};

class Clip : public ClipText {
 public:
  explicit Clip(const ClipConfig& config);
  /// [images,texts] and its transpose: exp(logit_scale) times the cosine of every image with every text.
  std::pair<Tensor, Tensor> logits(const Tensor& images, const Tensor& tokens) const;
  double scale() const { return logit_scale.exp().item<double>(); }

  std::shared_ptr<ClipVisual> visual;
  Tensor logit_scale;
};

/// The checkpoint's tensors under OpenAI's names: without the three numbers that a published file has beside
/// them, without the step counts of batch norms, and without `clip_model.` in front (as pyiqa saves them).
StateDict clip_weights(const StateDict& checkpoint);

/// The configuration behind these keys (see `clip_weights`); heads as OpenAI's models have them. Throws Error
/// where they are not CLIP's.
ClipConfig clip_config(const StateDict& weights);
ClipResNetConfig clip_resnet_config(const StateDict& weights);  ///< of the image tower's own keys
ClipVitConfig clip_vit_config(const StateDict& weights);        ///< of the image tower's own keys
ClipTextConfig clip_text_config(const StateDict& weights);

/// CLIP from a checkpoint as it was read, in float32 whatever the file holds; eval mode, no gradients. Throws
/// Error that lists what doesn't fit.
std::shared_ptr<Clip> make_clip(const StateDict& checkpoint);

/// `features` [N,C] as unit vectors.
Tensor unit_vectors(const Tensor& features);

/// scale * cosine of images [N,C] with texts [M,C] -> [N,M].
Tensor clip_logits(const Tensor& images, const Tensor& texts, double scale);

/// How much more an image [N,C] is like the first text of a pair than like the second, 0 to 1, the mean over
/// the pairs: `texts` [2P,C], the two of a pair one after the other -> [N].
Tensor pair_scores(const Tensor& images, const Tensor& texts, double scale);

}  // namespace sr
