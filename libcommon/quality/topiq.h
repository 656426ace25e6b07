#pragma once
// TOPIQ: quality with and without reference, from a ResNet-50's features, coarse ones telling where to look
// in finer ones. Source: chaofengc/IQA-PyTorch pyiqa/archs/topiq_arch.py CFANet.forward (@01ae427).
//
// Images are [1,3,H,W] RGB in [0,1], normalised by ImageNet's mean and deviation; no resizing and no
// cropping, but for the aesthetic weights (a distribution over 1 to 10): those see the shorter side at 384
// pixels (bilinear with antialiasing). Higher is better; about 0 to 1, aesthetics 1 to 10.
//
// Weights are pyiqa's cfanet_nr_{koniq,flive,spaq}_res50-*.pth, cfanet_fr_{kadid,pipal}_res50-*.pth and
// cfanet_iaa_ava_res50-*.pth; the network's own keys, under `params`. Which of them, the keys tell.

#include <string>

#include "nets/topiq.h"

namespace sr {

class Topiq {
 public:
  /// The configuration is read off the weights. Throws Error where they don't fit.
  explicit Topiq(const StateDict& weights) : Topiq(topiq_config(weights), weights) {}
  Topiq(const TopiqConfig& config, const StateDict& weights) : network_(config, weights) {}

  bool needs_reference() const { return network_.config().reference; }
  /// Throws Error where the weights are for comparing with a reference.
  double operator()(const Tensor& image) const;
  /// Throws Error where the weights are for judging without, and where sizes differ.
  double operator()(const Tensor& image, const Tensor& reference) const;
  /// One line for the header of a table.
  std::string describe() const;

  /// What the network takes for [N,3,H,W]: resized if need be, and normalised.
  Tensor input(const Tensor& images) const;
  const TopiqNet& network() const { return network_; }

 private:
  TopiqNet network_;
};

}  // namespace sr
