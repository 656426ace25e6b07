#pragma once
// Convolutions whose weights stay the same: laid out once as oneDNN wants them, with the ReLU after them in
// one pass. LibTorch lays weights out anew at every call, which costs single images a tenth of their time. Of
// 3x3 and 5x5 kernels Winograd's transforms save multiplications (see nets/winograd.h).

#include <ATen/core/ivalue.h>
#include <array>

#include "nets/winograd.h"

namespace sr {

/// For inference on the CPU in float32; any LibTorch without these operators of oneDNN's computes the same by
/// its own convolution.
class PackedConv {
 public:
  struct Geometry {
    std::array<int64_t, 2> padding = {0, 0};  ///< above and below, left and right
    int64_t stride = 1;
    bool relu = true;
  };

  PackedConv() = default;  ///< to be assigned to
  /// `weight` is [out,in,kernel,kernel'], `bias` [out]; the layout is chosen for maps of side x side, other
  /// sizes are as right.
  PackedConv(const Tensor& weight, const Tensor& bias, const Geometry& geometry, int64_t side);

  /// [N,in,H,W] -> [N,out,H',W'], both channels-last.
  Tensor operator()(const Tensor& map) const;

 private:
  bool prepare_winograd(int64_t side);
  void prepare_onednn(int64_t side);

  Tensor weight_, bias_;  ///< undefined once packed
  Geometry geometry_;
  c10::IValue packed_;                        ///< oneDNN's, or none
  std::shared_ptr<const WinogradConv> fast_;  ///< null: does not suit, or not worth it
  int64_t spare_ = 0;                         ///< rows and columns that `fast_` computes beyond each border
};

}  // namespace sr
