#include "nets/winograd.h"

#include <algorithm>

#include "nets/winograd_passes.h"
#include "nets/winograd_weights.h"

namespace sr {
namespace {

using namespace winograd;

constexpr std::int64_t kFewestTiles = 16;

/// What the tiles of a stretch go through.
struct Job {
  const Grid& grid;
  Images images, outputs;
  const float* zeros;   ///< a pixel beyond the border
  const float* weight;  ///< transformed
  const float* bias;
  bool relu;
};

std::int64_t rounded_up_quotient(std::int64_t value, std::int64_t divisor) {
  return (value + divisor - 1) / divisor;
}

/// Tiles to do at once: so many that weights are read seldom, so few that the buffers stay in cache. Every
/// thread gets as many stretches; one alone is shared among all threads.
std::int64_t stretch_length(const Job& job) {
  constexpr std::int64_t kBufferBytes = 4 << 20, kFewest = 64;
  const std::int64_t count = job.grid.count;
  const std::int64_t bytes = job.grid.side * job.grid.side * (job.images.channels + job.outputs.channels) *
                             static_cast<std::int64_t>(sizeof(float));
  const std::int64_t most = std::max(kFewest, kBufferBytes / bytes), threads = at::get_num_threads();
  if (count < std::max(most, threads * kFewest)) return count;
  const std::int64_t rounds = rounded_up_quotient(count, most * threads);
  return rounded_up_quotient(count, rounds * threads);
}

/// By all threads, or by this one where it is one of several at work.
template <class Pass>
void in_parts(std::int64_t items, const Pass& pass) {
  at::parallel_for(0, items, 4, [&](std::int64_t first, std::int64_t last) { pass(Range{first, last}); });
}

/// Does the tiles from `begin` to `end`, `length` at a time, with buffers of its own.
void run(const Job& job, std::int64_t begin, std::int64_t end, std::int64_t length) {
  const std::int64_t points = job.grid.side * job.grid.side, in = job.images.channels,
                     out = job.outputs.channels;
  const Tensor inputs = at::empty({points * plane_size(length, in)}),
               products = at::empty({points * plane_size(length, out)});
  auto *const input = inputs.data_ptr<float>(), *const product = products.data_ptr<float>();
  for (std::int64_t first = begin; first < end; first += length) {
    const std::int64_t tiles = std::min(length, end - first);
    const Transform before{&job.grid, first, tiles, job.images, nullptr, job.zeros, input};
    const Products between{tiles, input, in, job.weight, out, product};
    const Finish after{.grid = &job.grid,
                       .first = first,
                       .tiles = tiles,
                       .products = product,
                       .channels = out,
                       .outputs = job.outputs,
                       .bias = job.bias,
                       .relu = job.relu};
    in_parts(tiles, [&](Range range) { transform(before, range); });
    in_parts(points * (out / kColumns), [&](Range range) { multiply(between, range); });
    in_parts(tiles, [&](Range range) { finish(after, range); });
  }
}

}  // namespace

bool WinogradConv::suits(const Conv2d& layer) {
  const ConvOptions& o = layer.options();
  return (o.kernel == 3 || o.kernel == 5) && o.stride == 1 && o.padding == o.kernel / 2 && o.groups == 1 &&
         !o.transposed && layer.weight.scalar_type() == at::kFloat && layer.weight.device().is_cpu() &&
         layer.weight.size(0) % kColumns == 0 && layer.weight.size(1) % 16 == 0;
}

WinogradConv::WinogradConv(const Conv2d& layer)
    : in_(layer.weight.size(1)),
      out_(layer.weight.size(0)),
      kernel_(layer.weight.size(2)),
      weight_(transformed_weight(layer.weight)),
      bias_(layer.bias.defined() ? layer.bias.detach().contiguous() : at::zeros({out_})) {}

bool WinogradConv::pays(const Tensor& images) const {
  return Grid(images.size(0), images.size(2), images.size(3), kernel_).count >= kFewestTiles;
}

Tensor WinogradConv::forward(const Tensor& images, bool relu) const {
  const Tensor input = images.contiguous(at::MemoryFormat::ChannelsLast);
  Tensor output = at::empty({input.size(0), out_, input.size(2), input.size(3)},
                            input.options().memory_format(at::MemoryFormat::ChannelsLast));
  const Tensor zeros = at::zeros({in_});
  const Grid grid(input.size(0), input.size(2), input.size(3), kernel_);
  const Job job{.grid = grid,
                .images = {input.data_ptr<float>(), false, in_},
                .outputs = {output.data_ptr<float>(), false, out_},
                .zeros = zeros.data_ptr<float>(),
                .weight = weight_.data_ptr<float>(),
                .bias = bias_.data_ptr<float>(),
                .relu = relu};
  const std::int64_t length = stretch_length(job), stretches = rounded_up_quotient(grid.count, length);
  const auto run_stretches = [&](std::int64_t begin, std::int64_t end) {
    run(job, begin * length, std::min(end * length, grid.count), length);
  };
  if (stretches == 1) {
    run_stretches(0, 1);  // not in parallel_for: its parts are to be
  } else {
    at::parallel_for(0, stretches, 1, run_stretches);
  }
  return output;
}

}  // namespace sr
