#include "infer/fused_weights.h"

#include "infer/amx_conv.h"

namespace sr::fused {
namespace {

int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

/// Zeros after the last entry of `dim`, up to `size`.
Tensor pad_end(const Tensor& tensor, int64_t dim, int64_t size) {
  auto shape = tensor.sizes().vec();
  shape[dim] = size - shape[dim];
  return at::cat({tensor, tensor.new_zeros(shape)}, dim);
}

/// Every group of input channels padded to whole planes.
Tensor pad_inputs(const Tensor& weight, const std::vector<int64_t>& groups) {
  std::vector<Tensor> parts = weight.split_with_sizes(groups, 1);
  for (Tensor& part : parts) part = pad_end(part, 1, round_up(part.size(1), amx::kInputChannels));
  return at::cat(parts, 1);
}

Tensor pad_channels(const Tensor& values, int64_t channels) {
  return pad_end(values, 0, round_up(channels, amx::kOutputChannels)).contiguous();
}

/// The two taps left of three where the pixels under two of them are the same one. `odd` is the second of the
/// pixels that come out for one that goes in: its first two taps fall together, else its last two.
Tensor merge_taps(const Tensor& weight, int64_t dim, bool odd) {
  const auto tap = [&](int64_t i) { return weight.narrow(dim, i, 1); };
  return odd ? at::cat({tap(0) + tap(1), tap(2)}, dim) : at::cat({tap(0), tap(1) + tap(2)}, dim);
}

/// One kernel, made by `kernel(y, x)`, for each of the factor x factor pixels that come out for one.
template <class Kernel>
std::vector<PackedKernel> for_each_output(int factor, const Kernel& kernel) {
  std::vector<PackedKernel> kernels;
  for (int y = 0; y < factor; ++y)
    for (int x = 0; x < factor; ++x) {
      kernels.push_back(kernel(y, x));
      kernels.back().output_y = y;
      kernels.back().output_x = x;
    }
  return kernels;
}

}  // namespace

PackedKernel pack(const Weights& from) {
  const int64_t outputs = from.weight.size(0), rows = from.weight.size(2), columns = from.weight.size(3);
  Tensor weight = pad_inputs(from.weight.detach().to(at::kFloat), from.input_groups);
  weight = pad_end(weight, 0, round_up(outputs, amx::kOutputChannels));
  const int64_t blocks = weight.size(0) / amx::kOutputChannels, chunks = weight.size(1) / amx::kInputChannels;
  weight = weight.view({blocks, amx::kOutputChannels, chunks, amx::kInputChannels / 2, 2, rows, columns});
  const Tensor bias = from.bias.defined() ? from.bias.detach().to(at::kFloat) : weight.new_zeros({outputs});
  PackedKernel packed;
  packed.weights = weight.permute({0, 2, 5, 6, 3, 1, 4}).to(at::kBFloat16).contiguous();
  packed.bias = pad_channels(bias, outputs);
  packed.slope = pad_channels(from.slope.detach().to(at::kFloat).expand({outputs}), outputs);
  packed.chunks = static_cast<int>(chunks);
  packed.blocks = static_cast<int>(blocks);
  packed.rows = static_cast<int>(rows);
  packed.columns = static_cast<int>(columns);
  return packed;
}

std::vector<PackedKernel> pack_upsampled(const Weights& weights) {
  return for_each_output(2, [&](int y, int x) {
    Weights part = weights;
    part.weight = merge_taps(merge_taps(weights.weight.detach().to(at::kFloat), 2, y == 1), 3, x == 1);
    PackedKernel packed = pack(part);
    packed.top = y - 1;
    packed.left = x - 1;
    return packed;
  });
}

std::vector<PackedKernel> pack_shuffled(const Weights& weights, int factor) {
  const int64_t outputs = weights.weight.size(0);
  const auto take = [&](const Tensor& values, int offset) {
    const bool one_for_all = !values.defined() || values.size(0) != outputs;
    return one_for_all ? values : values.slice(0, offset, outputs, factor * factor);
  };
  return for_each_output(factor, [&](int y, int x) {
    const int offset = y * factor + x;
    return pack({take(weights.weight, offset), take(weights.bias, offset), take(weights.slope, offset),
                 weights.input_groups});
  });
}

}  // namespace sr::fused
