#pragma once
// Se-RRDB: a generator that looks at the semantics of its own input. Paper: Li et al., "SeD: Semantic-Aware
// Discriminator for Image Super-Resolution", CVPR 2024, Table 8: RRDBNet with 11 blocks whose 5th and 11th
// are replaced by the fusion block. No official code is published; what the paper leaves open is settled
// here:
//   such a block is what SeD's discriminators do: SeFB, concatenation with the features, 3x3 convolution; its
//   result is scaled and added as an RRDB's is, x + 0.2 conv([x, SeFB(s, x)]), for the trunk is residual;
//   semantics are those of the LR image as it is, continued by its border to whole cells of the semantics;
//   names are BasicSR's, the fusion blocks' `body.N.att` and `body.N.conv`;
//   weights begin as RRDBNet's, the fusion convolutions as PyTorch's, SeFB's last projection at zero.

#include <memory>
#include <vector>

#include "nets/rrdbnet.h"
#include "nets/sed_fusion.h"
#include "nets/semantics.h"

namespace sr {

struct SeRRDBConfig {
  RRDBNetConfig rrdb = {};               ///< its `blocks` are not looked at
  int64_t blocks = 11;                   ///< of both kinds
  std::vector<int64_t> fused = {5, 11};  ///< which of them fuse, counted from 1, ascending
  SemanticFusionConfig fusion = {};
  bool operator==(const SeRRDBConfig&) const = default;
};

class SeRRDBNet : public Network {
 public:
  /// `semantics` are no part of this module: neither saved nor trained, nor moved to another device with it.
  /// Throws Error where their channels or stride are not those that the configuration fuses with.
  SeRRDBNet(const SeRRDBConfig& config, std::shared_ptr<SemanticExtractor> semantics);
  Tensor forward(const Tensor& input) override;
  NetworkShape shape() const override;
  void draw(const at::Generator& generator);
  const SeRRDBConfig& config() const { return config_; }

 private:
  class FusionBlock;

  Tensor semantics_of(const Tensor& image) const;

  SeRRDBConfig config_;
  std::shared_ptr<SemanticExtractor> semantics_;
  std::shared_ptr<RRDBNet> rrdb_;
  std::vector<std::shared_ptr<FusionBlock>> fusions_;
};

}  // namespace sr
