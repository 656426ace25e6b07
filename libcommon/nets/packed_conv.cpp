#include "nets/packed_conv.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include "nets/feature_maps.h"

namespace sr {
namespace {

using Dimensions = std::vector<int64_t>;

/// LibTorch's headers don't have these operators, but it registers them under their names (or not at all).
auto find_operator(const char* name) { return c10::Dispatcher::singleton().findSchema({name, ""}); }

const auto& runner() {
  static const auto found = find_operator("mkldnn_prepacked::conv2d_run");
  return found;
}

}  // namespace

PackedConv::PackedConv(const Tensor& weight, const Tensor& bias, const Geometry& geometry, int64_t side)
    : weight_(weight.contiguous(at::MemoryFormat::ChannelsLast)), bias_(bias), geometry_(geometry) {
  if (!prepare_winograd(side)) prepare_onednn(side);
}

bool PackedConv::prepare_winograd(int64_t side) {
  const int64_t kernel = weight_.size(2), half = kernel / 2, padding = geometry_.padding[0];
  const bool square = weight_.size(3) == kernel && geometry_.padding[1] == padding;
  if (!square || geometry_.stride != 1 || (padding != half && padding != 0)) return false;
  Conv2d layer(weight_.size(1), weight_.size(0), {.kernel = kernel, .stride = 1, .padding = half});
  if (!WinogradConv::suits(layer)) return false;
  const at::NoGradGuard no_grad;
  layer.weight.copy_(weight_);
  layer.bias.copy_(bias_);
  const auto fast = std::make_shared<const WinogradConv>(layer);
  if (!fast->pays(at::empty({1, weight_.size(1), side, side}))) return false;
  fast_ = fast;
  spare_ = half - padding;
  weight_ = bias_ = Tensor();
  return true;
}

void PackedConv::prepare_onednn(int64_t side) {
  const auto pack = find_operator("mkldnn_prepacked::conv2d_prepack");
  if (!pack || !runner()) return;
  const auto [height, width] = geometry_.padding;
  torch::jit::Stack stack{weight_.contiguous(),
                          bias_,
                          Dimensions{geometry_.stride, geometry_.stride},
                          Dimensions{height, width},
                          Dimensions{1, 1},
                          int64_t{1},
                          Dimensions{1, weight_.size(1), side, side},
                          std::string(geometry_.relu ? "relu" : "none")};
  pack->callBoxed(stack);
  packed_ = stack.front();
  weight_ = bias_ = Tensor();
}

Tensor PackedConv::operator()(const Tensor& map) const {
  const Tensor input = channels_last(map);
  if (fast_) {
    const Tensor whole = fast_->forward(input, geometry_.relu);
    const int64_t height = whole.size(2) - 2 * spare_, width = whole.size(3) - 2 * spare_;
    return channels_last(whole.narrow(2, spare_, height).narrow(3, spare_, width));
  }
  if (!packed_.isNone()) {
    torch::jit::Stack stack{input, packed_};
    runner()->callBoxed(stack);
    return stack.front().toTensor();
  }
  Tensor output = at::conv2d(input, weight_, bias_, {geometry_.stride, geometry_.stride}, geometry_.padding);
  return geometry_.relu ? at::relu_(output) : output;
}

}  // namespace sr
