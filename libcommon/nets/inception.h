#pragma once
// Inception v3 as FID sees pictures by it: the graph of 2015-12-05 (TensorFlow's), which differs from
// torchvision's in its pools. Paper: Szegedy et al., "Rethinking the Inception Architecture for Computer
// Vision", CVPR 2016. Code held against: mseitzer/pytorch-fid src/pytorch_fid/inception.py (@b9c1811).
//
// Parameter names are those of pt_inception-2015-12-05 (torchvision's). For inference on the CPU alone:
// normalisations are folded, and what reads the same input runs as one convolution.

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/torch.h"
#include "weights/state_dict.h"

namespace sr {

class InceptionStem;
class InceptionBlock;

class Inception {
 public:
  static constexpr int64_t side = 299;       ///< of the pictures that it was trained on
  static constexpr int64_t features = 2048;  ///< of a picture

  /// Throws Error that lists what is missing, unexpected or misshapen; classifiers (`fc`, `AuxLogits`) are
  /// passed over.
  explicit Inception(const StateDict& weights);

  /// Pictures [N,3,H,W] in [-1,1], sides of 75 at least -> the four maps that FID's literature knows, of 64,
  /// 192, 768 and 2048 channels: after the first and the second max pool, before the auxiliary classifier and
  /// before the last average.
  std::array<Tensor, 4> maps(const Tensor& pictures) const;
  /// Their means over places: [N,2048] ("pool3").
  Tensor pooled(const Tensor& pictures) const;

 private:
  std::shared_ptr<InceptionStem> stem_;
  std::vector<std::shared_ptr<InceptionBlock>> blocks_;
};

/// True for keys that Inception checkpoints have and `Inception` has not: step counts of the normalisations
/// and the classifiers.
bool spare_in_inception(const std::string& key);

}  // namespace sr
