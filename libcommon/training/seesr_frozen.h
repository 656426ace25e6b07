#pragma once
// What the networks that don't learn say of a sample in SeeSR's training. They see one sample at a time, so
// that neither the batch nor what is kept of their answers (see TensorCache) changes a bit.

#include "training/seesr_parts.h"
#include "training/tensor_cache.h"

namespace sr {

/// Pictures are [1,3,H,W] in [0,1], contiguous in the CPU's memory; answers are where the networks are. Where
/// a picture or caption `repeats` the answer is kept, if the configuration names a folder for it.
class SeesrFrozen {
 public:
  SeesrFrozen(const SeesrConfig& config, const Arithmetic& arithmetic, const SeesrParts& parts);

  /// The latents of a sharp picture that `code` [1,latents,h,w] draws, times the autoencoder's scale.
  Tensor latents(const Tensor& picture, const Tensor& code, bool repeats) const;
  /// The text encoder's [1,77,features].
  Tensor text(const std::string& caption, bool repeats) const;
  /// What RAM, with DAPE if there is one, makes of a degraded picture: [1,S,features].
  Tensor image_tokens(const Tensor& picture, bool repeats) const;
  /// What RAM alone names in a sharp picture, as make_tags.py writes it: "a, b, c,".
  std::string caption(const Tensor& picture, bool repeats) const;

 private:
  Tensor probabilities(const Tensor& picture) const;
  /// What `reckon` makes of the picture, where the networks are, or what was kept of it.
  Tensor said(const TensorCache& cache, const Tensor& picture, bool repeats,
              const std::function<Tensor(const Tensor&)>& reckon) const;

  at::Device device_;
  SeesrParts parts_;
  TensorCache moments_, texts_, tokens_, tags_;
};

}  // namespace sr
