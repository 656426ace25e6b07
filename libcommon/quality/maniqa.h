#pragma once
// MANIQA: quality without reference, from crops of an image.
// Source: chaofengc/IQA-PyTorch pyiqa/archs/maniqa_arch.py MANIQA.forward, pyiqa/archs/arch_util.py
// uniform_crop (@01ae427).
//
// Images are [1,3,H,W] RGB in [0,1], taken to [-1,1]. Where the shorter side is at most 224 the image is
// first enlarged bilinearly by 225 / (that side). Crops of 224 x 224: the first 20 of a 5 x 5 grid, row by
// row, whose steps are (side - 224) / 4 rounded down, so that the grid's last row is never looked at. The
// score is one mean over the patches of all crops, weighted by the network; higher is better, about 0 to 1.
//
// Weights are ckpt_koniq10k.pt, ckpt_kadid10k.pt (scale 0.8) and MANIQA_PIPAL-ae6d356b.pth (scale 0.13);
// their keys are the network's own. Other sizes of the network are read off the keys.

#include <string>
#include <vector>

#include "nets/maniqa.h"

namespace sr {

/// Where a crop begins.
struct ManiqaCrop {
  int64_t top = 0, left = 0;

  auto operator<=>(const ManiqaCrop&) const = default;
};

/// The first `count` crops of size x size of the grid. Where a step is 0 they repeat themselves.
std::vector<ManiqaCrop> maniqa_crops(int64_t height, int64_t width, int64_t size, int64_t count);

/// The scale of official weights, which nothing but the name of their file tells: 0.13 where it says PIPAL,
/// else 0.8.
double maniqa_scale(const std::string& file_name);

/// The image in [-1,1], enlarged if it must be for crops of `size`.
Tensor maniqa_input(const Tensor& image, int64_t size);

class Maniqa {
 public:
  static constexpr int64_t official_crops = 20;

  /// The configuration is read off the weights, but for `scale`. Throws Error where they don't fit.
  Maniqa(const StateDict& weights, double scale);
  Maniqa(const ManiqaConfig& config, const StateDict& weights, int64_t crops = official_crops);

  double operator()(const Tensor& image) const;
  /// One line for the header of a table.
  std::string describe() const;

  const ManiqaNet& network() const { return network_; }

 private:
  ManiqaNet network_;
  int64_t crops_;
};

}  // namespace sr
