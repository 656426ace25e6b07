#include "nets/winograd_training.h"

#include <algorithm>
#include <torch/csrc/autograd/custom_function.h>

#include "core/autocast.h"
#include "core/processor.h"
#include "nets/winograd_passes.h"
#include "nets/winograd_weights.h"

namespace sr {
namespace {

using namespace winograd;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

constexpr std::int64_t kKernel = 3, kPoints = 36;
constexpr std::int64_t kChannels = 16;      // they come in multiples of this
constexpr std::int64_t kFewestTiles = 128;  // each transformed weight is read once for them

Images images_of(const Tensor& tensor) {
  return {tensor.data_ptr(), tensor.scalar_type() == at::kBFloat16, tensor.size(1)};
}

const float* floats_or_null(const Tensor& tensor) {
  return tensor.defined() ? tensor.data_ptr<float>() : nullptr;
}

Tensor empty_images(const Tensor& like, std::int64_t channels) {
  return at::empty({like.size(0), channels, like.size(2), like.size(3)},
                   like.options().memory_format(at::MemoryFormat::ChannelsLast));
}

/// How a batch's tiles are shared out: a part for each thread, in stretches whose points stay in cache.
struct Shares {
  Shares(const Tensor& images, std::int64_t in, std::int64_t out)
      : grid(images.size(0), images.size(2), images.size(3), kKernel),
        parts(std::min<std::int64_t>(at::get_num_threads(), grid.count)) {
    constexpr std::int64_t kBufferBytes = 3 << 18, kFewest = 36;
    const std::int64_t bytes = kPoints * (in + out) * static_cast<std::int64_t>(sizeof(float));
    const std::int64_t share = (grid.count + parts - 1) / parts;
    const std::int64_t rounds = std::max<std::int64_t>(1, share / std::max(kFewest, kBufferBytes / bytes));
    length = (share + rounds - 1) / rounds;
  }

  /// Calls `work(part)` for all.
  template <class Work>
  void for_each_part(const Work& work) const {
    at::parallel_for(0, parts, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t part = begin; part < end; ++part) work(part);
    });
  }

  /// Calls `work(first tile, tiles)` for the stretches of a part.
  template <class Work>
  void for_each_stretch(std::int64_t part, const Work& work) const {
    const std::int64_t end = grid.count * (part + 1) / parts;
    for (std::int64_t first = grid.count * part / parts; first < end; first += length)
      work(first, std::min(length, end - first));
  }

  Grid grid;
  std::int64_t parts, length;
};

/// What is done to a convolution's outputs; all may be undefined.
struct After {
  Tensor bias = {};
  // where they are gradients for PReLU's answer:
  Tensor slopes = {};      ///< of the PReLU
  Tensor before = {};      ///< what went into it
  Tensor slope_sums = {};  ///< [parts of the tiles,in], gradients are added
};

/// Whether products of gradients may be of bfloat16, as the gradients themselves are.
bool multiplies_in_halves(const Tensor& gradient) {
  return gradient.scalar_type() == at::kBFloat16 && has_bfloat16();
}

/// The convolution of PReLU's answers; without `slopes`, of the images. `halves`: products are of bfloat16.
Tensor convolved(const Tensor& images, const Tensor& slopes, const Tensor& weight, const After& after,
                 bool halves) {
  const std::int64_t in = images.size(1), columns = whole_columns(weight.size(0));
  const Tensor outputs = empty_images(images, weight.size(0)), zeros = at::zeros({in});
  Tensor transformed = transformed_weight(weight);
  if (halves) transformed = paired_weight(transformed);
  const Shares shares(images, in, columns);
  shares.for_each_part([&](std::int64_t part) {
    const Tensor points = at::empty({kPoints * plane_size(shares.length, in)}),
                 products = at::empty({kPoints * plane_size(shares.length, columns)});
    Transform first{.grid = &shares.grid,
                    .images = images_of(images),
                    .slopes = floats_or_null(slopes),
                    .zeros = zeros.data_ptr(),
                    .points = points.data_ptr<float>(),
                    .form = halves ? Form::halves : Form::floats};
    Products second{.inputs = first.points,
                    .in = in,
                    .weight = transformed.data_ptr(),
                    .out = columns,
                    .products = products.data_ptr<float>(),
                    .halves = halves};
    Finish third{.grid = &shares.grid,
                 .products = second.products,
                 .channels = columns,
                 .outputs = images_of(outputs),
                 .bias = floats_or_null(after.bias),
                 .slopes = floats_or_null(after.slopes),
                 .before = after.before.defined() ? after.before.data_ptr() : nullptr,
                 .slope_sums = after.slopes.defined() ? after.slope_sums[part].data_ptr<float>() : nullptr};
    shares.for_each_stretch(part, [&](std::int64_t tile, std::int64_t tiles) {
      first.first = third.first = tile;
      first.tiles = second.tiles = third.tiles = tiles;
      transform(first, {0, tiles});
      multiply(second, {0, kPoints * columns / kColumns});
      finish(third, {0, tiles});
    });
  });
  return outputs;
}

/// [out,in,3,3] and [out]: gradients of weight and bias.
std::pair<Tensor, Tensor> weight_gradients(const Tensor& images, const Tensor& slopes,
                                           const Tensor& gradient) {
  const std::int64_t in = images.size(1), out = gradient.size(1);
  const Shares shares(images, in, out);
  const Form form = multiplies_in_halves(gradient) && out % kColumns == 0 ? Form::tile_pairs : Form::floats;
  const Tensor sums = at::zeros({shares.parts, kPoints, in, out}), bias_sums = at::zeros({shares.parts, out}),
               zeros = at::zeros({std::max(in, out)});
  shares.for_each_part([&](std::int64_t part) {
    const Tensor inputs = at::empty({kPoints * plane_size(shares.length, in)}),
                 gradients = at::empty({kPoints * plane_size(shares.length, out)});
    Transform first{.grid = &shares.grid,
                    .images = images_of(images),
                    .slopes = floats_or_null(slopes),
                    .zeros = zeros.data_ptr(),
                    .points = inputs.data_ptr<float>(),
                    .form = form};
    Spread second{.grid = &shares.grid,
                  .gradients = images_of(gradient),
                  .zeros = zeros.data_ptr(),
                  .points = gradients.data_ptr<float>(),
                  .sums = bias_sums[part].data_ptr<float>(),
                  .form = form};
    Correlate third{.inputs = first.points,
                    .in = in,
                    .gradients = second.points,
                    .out = out,
                    .sums = sums[part].data_ptr<float>(),
                    .pairs = form == Form::tile_pairs};
    shares.for_each_stretch(part, [&](std::int64_t tile, std::int64_t tiles) {
      first.first = second.first = tile;
      first.tiles = second.tiles = third.tiles = tiles;
      transform(first, {0, tiles});
      spread(second);
      correlate(third);
    });
  });
  return {weight_gradient(sums, kKernel), bias_sums.sum(0)};
}

/// The kernels that take gradients back.
Tensor turned(const Tensor& weight) { return weight.flip({2, 3}).transpose(0, 1); }

// Autograd's functions take no undefined tensors.
Tensor or_empty(const Tensor& tensor) { return tensor.defined() ? tensor : at::empty({0}); }
Tensor or_undefined(const Tensor& tensor) { return tensor.numel() > 0 ? tensor : Tensor(); }

struct WinogradFunction : torch::autograd::Function<WinogradFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& images, const Tensor& slopes,
                        const Tensor& weight, const Tensor& bias) {
    context->save_for_backward({images, slopes, weight});
    return convolved(images, or_undefined(slopes), weight, {.bias = or_undefined(bias)}, false);
  }

  static tensor_list backward(AutogradContext* context, tensor_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &images = saved[0], &weight = saved[2], slopes = or_undefined(saved[1]);
    const Tensor gradient = gradients[0].to(images.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
    tensor_list result(4);
    if (context->needs_input_grad(0) || context->needs_input_grad(1)) {
      After after;
      if (slopes.defined()) after = {{}, slopes, images, at::zeros({at::get_num_threads(), images.size(1)})};
      result[0] = convolved(gradient, {}, turned(weight), after, multiplies_in_halves(gradient));
      if (slopes.defined()) result[1] = after.slope_sums.sum(0);
    }
    if (context->needs_input_grad(2) || context->needs_input_grad(3))
      std::tie(result[2], result[3]) = weight_gradients(images, slopes, gradient);
    return result;
  }
};

bool has_all_channels(const Tensor& weight) {
  return weight.size(0) % kChannels == 0 && weight.size(1) % kChannels == 0;
}

}  // namespace

bool winograd_trains(const ConvOptions& o, const Tensor& weight, const Tensor& images) {
  if (!at::GradMode::is_enabled() || !images.device().is_cpu()) return false;
  const auto type = current_arithmetic(at::kCPU).type;
  if (type == at::kHalf || (type == at::kBFloat16 && has_matrix_tiles())) return false;
  return o.kernel == kKernel && o.stride == 1 && o.padding == 1 && o.groups == 1 && !o.transposed &&
         weight.scalar_type() == at::kFloat && has_all_channels(weight) &&
         Grid(images.size(0), images.size(2), images.size(3), kKernel).count >= kFewestTiles;
}

Tensor winograd_conv(const Tensor& images, const Tensor& slopes, const Tensor& weight, const Tensor& bias) {
  const auto type = current_arithmetic(at::kCPU).type;
  return WinogradFunction::apply(images.to(type).contiguous(at::MemoryFormat::ChannelsLast), or_empty(slopes),
                                 weight, or_empty(bias));
}

}  // namespace sr
