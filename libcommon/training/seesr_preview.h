#pragma once
// What SeeSR's networks make of a picture as far as they have learnt, made as sr-diffuse makes it: tags and
// embeddings of the LR picture, guidance away from the negative prompt, colours as the LR picture has them.
// Pictures that come to less than the crop of the training are enlarged to it on the way.

#include "diffusion/seesr_networks.h"
#include "training/seesr_parts.h"

namespace sr {

class SeesrPreview {
 public:
  /// `parts` have tags. Throws UsageError where the sampler can't take so many steps.
  SeesrPreview(const SeesrConfig& config, const Arithmetic& arithmetic, const SeesrParts& parts);

  /// Of an image [1,3,h,w] in [0,1]: [1,3,scale h,scale w] in [0,1], in the CPU's memory. What is drawn is a
  /// function of the run's seed and of `item`, and nothing else is drawn. Throws Error for an image of less
  /// than 8 pixels a side, or where something isn't finite; Interrupted.
  Tensor of(const Tensor& lr, const std::string& item) const;

 private:
  /// What the networks are told of the image.
  SeesrConditions conditions(const Tensor& lr) const;
  SeesrNetworks networks(const SeesrConditions& conditions) const;

  const SeesrConfig& config_;
  Arithmetic arithmetic_;
  const SeesrParts& parts_;
  SeesrOptions options_;
  SeesrSampler sampler_;
};

}  // namespace sr
