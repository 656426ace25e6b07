#pragma once
// Se-RRDB: a generator that looks at the semantics of its own input. Paper: Li et al., "SeD: Semantic-Aware
// Discriminator for Image Super-Resolution", CVPR 2024, Table 8: RRDBNet with 11 blocks whose 5th and 11th
// are replaced by the fusion block. No official code is published; what the paper leaves open is settled
// here:
//   such a block is what SeD's discriminators do: SeFB, concatenation with the features, 3x3 convolution; its
//   result is scaled and added as an RRDB's is, x + 0.2 conv([x, SeFB(s, x)]), for the trunk is residual;
//   semantics are those of the LR image as it is, continued by its border to whole cells of the semantics;
//   names are BasicSR's, the fusion blocks' `body.N.att` and `body.N.conv`;
//   weights begin as RRDBNet's, the fusion convolutions as PyTorch's, SeFB's last projection at zero;
//   the semantics' extractor always normalises by its own, published statistics, in training, validation and
//   use, so that a picture's result depends neither on its neighbours in a batch nor on what was seen before.
//
// The file of such a network is whole: beside BasicSR's names it holds what is used of the extractor under
// `semantics.`, and nothing has to be found to run it.
//
// Large pictures that are cut into tiles (infer/tiles.h) are looked at tile by tile: each has the semantics
// of itself and its context, on the grid that the whole picture's semantics have. Only a picture in one tile
// is what training and validation make of it.

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
  /// `semantics` are put into eval mode. They move to another device with this module, but are no part of it:
  /// neither trained nor among its parameters, and float32 in every precision. Throws Error where their
  /// channels or stride are not those that the configuration fuses with.
  SeRRDBNet(const SeRRDBConfig& config, std::shared_ptr<SemanticExtractor> semantics);
  Tensor forward(const Tensor& input) override;
  NetworkShape shape() const override;
  void draw(const at::Generator& generator);
  const SeRRDBConfig& config() const { return config_; }
  const SemanticExtractor& semantics() const { return *semantics_; }
  using Network::to;
  void to(torch::Device device, bool non_blocking = false) override;

 private:
  class FusionBlock;

  Tensor semantics_of(const Tensor& image) const;

  SeRRDBConfig config_;
  std::shared_ptr<SemanticExtractor> semantics_;
  std::shared_ptr<RRDBNet> rrdb_;
  std::vector<std::shared_ptr<FusionBlock>> fusions_;
};

/// True for the keys (BasicSR's names) of a Se-RRDB, with or without semantics.
bool is_se_rrdb(const StateDict& weights);

/// A file's tensors: those of a network, and of what it looks at.
StateDict se_rrdb_file(const StateDict& network, const SemanticExtractor& semantics);

/// The network of a file's tensors, filled. Attention's heads aren't told by shapes: one is taken, which is
/// what sr-train has. Throws Error where the semantics are missing, or lists what doesn't fit.
std::shared_ptr<SeRRDBNet> make_se_rrdb(const StateDict& file);

}  // namespace sr
