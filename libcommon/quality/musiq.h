#pragma once
// MUSIQ: quality without reference, from patches of several sizes of an image.
// Source: chaofengc/IQA-PyTorch pyiqa/archs/musiq_arch.py MUSIQ.forward and
// pyiqa/data/multiscale_trans_util.py get_multiscale_patches (@01ae427).
//
// Images are [1,3,H,W] RGB in [0,1], taken to [-1,1]. Each is seen at several sizes: with its longer side at
// 224 and at 384 pixels, sides rounded to whole pixels, halves to even (bicubic, a = -0.75, no antialiasing),
// and as it is. Each size is cut into patches of 32 x 32; where sides are no multiple of that, zeros (middle
// grey) stand around the image, the odd one below and on the right. The score is that of the weights'
// training set: 0 to 100 for KonIQ, SPAQ and PaQ-2-PiQ, 1 to 10 for AVA; higher is better.
//
// Weights are pyiqa's musiq_{koniq,spaq,paq2piq,ava}_ckpt-*.pth, whose keys are the network's own. Other
// sizes of the network are read off the keys.

#include <optional>
#include <string>
#include <vector>

#include "nets/musiq.h"

namespace sr {

/// At which sizes an image is looked at.
struct MusiqSampling {
  std::vector<int64_t> longer_sides = {224, 384};
  /// How many patches of the original at most (the first ones); negative: all. Empty: the original is not
  /// looked at.
  std::optional<int64_t> original_patches = -1;
};

/// An image at one size.
struct MusiqView {
  Tensor patches;    ///< [L,3,patch,patch], row by row, in [-1,1]
  Tensor positions;  ///< int64 [L]: where each is on a grid x grid
};

/// The image [1,3,H,W] at every size, the smallest first. Throws Error where it is too narrow for one.
std::vector<MusiqView> musiq_views(const Tensor& image, const MusiqConfig& config,
                                   const MusiqSampling& sampling);

class Musiq {
 public:
  /// The configuration is read off the weights. Throws Error where they don't fit.
  explicit Musiq(const StateDict& weights) : Musiq(musiq_config(weights), weights, {}) {}
  Musiq(const MusiqConfig& config, const StateDict& weights, MusiqSampling sampling);

  double operator()(const Tensor& image) const;
  /// What the network answers of views: [classes].
  Tensor answer(const std::vector<MusiqView>& views) const;
  /// One line for the header of a table.
  std::string describe() const;

  const MusiqNet& network() const { return network_; }

 private:
  Tensor tokens(const Tensor& patches) const;

  MusiqSampling sampling_;
  MusiqNet network_;
};

}  // namespace sr
