#include "infer/fused_steps.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace sr::fused {
namespace {

constexpr int kHalfPixel = sizeof(Pixel) / 2;  // a bf16 plane holds two blocks of output channels

float* as_floats(Pixel* pixel) { return reinterpret_cast<float*>(pixel->bytes); }

}  // namespace

void Load::compute(const View& view, Rows rows) const {
  for (int y = rows.first; y < rows.last; ++y)
    for (int channel = 0; channel < channels_; ++channel)
      for (int dy = 0; dy < unshuffle_; ++dy)
        for (int dx = 0; dx < unshuffle_; ++dx) load_row(view, y, channel, dy, dx);
}

void Load::load_row(const View& view, int y, int channel, int dy, int dx) const {
  const Size size = view.input_size;
  const float* from =
      view.input + (std::size_t(channel) * size.height + y * unshuffle_ + dy) * size.width + dx;
  const int to_channel = (channel * unshuffle_ + dy) * unshuffle_ + dx;
  Pixel* to = view[output_].row(output_.first + to_channel / amx::kInputChannels, y);
  const int lane = to_channel % amx::kInputChannels;
  for (int x = 0; x < size.width / unshuffle_; ++x)
    reinterpret_cast<at::BFloat16*>(to[x].bytes)[lane] = at::BFloat16(from[x * unshuffle_]);
}

void Store::compute(const View& view, Rows rows) const {
  using StoreRow = void (Store::*)(const View&, int y, int channel, int dy) const;
  constexpr std::array<StoreRow, kLargestShuffle> by_shuffle = {&Store::store_row<1>, &Store::store_row<2>,
                                                                &Store::store_row<3>, &Store::store_row<4>};
  const StoreRow store_row = by_shuffle[shuffle_ - 1];
  for (int y = rows.first; y < rows.last; ++y)
    for (int channel = 0; channel < channels_; ++channel)
      for (int dy = 0; dy < shuffle_; ++dy) (this->*store_row)(view, y, channel, dy);
}

template <int kShuffle>
void Store::store_row(const View& view, int y, int channel, int dy) const {
  std::array<const float*, kShuffle> lanes;
  for (int dx = 0; dx < kShuffle; ++dx) {
    const int from = (channel * kShuffle + dy) * kShuffle + dx;
    lanes[dx] = as_floats(view[input_].row(input_.first + from / amx::kOutputChannels, y)) +
                from % amx::kOutputChannels;
  }
  const Size in = view.input_size, out = view.output_size;
  const float* base = view.input + (std::size_t(channel) * in.height + y) * in.width;
  float* to = view.output + (std::size_t(channel) * out.height + y * kShuffle + dy) * out.width;
  for (int x = 0; x < out.width / kShuffle; ++x) {
    const float added = add_input_ ? base[x] : 0.0f;
    for (int dx = 0; dx < kShuffle; ++dx)
      to[x * kShuffle + dx] = lanes[dx][std::size_t(x) * amx::kOutputChannels] + added;
  }
}

std::vector<Slice> Conv::reads() const {
  std::vector<Slice> slices = spec_.inputs;
  slices.push_back(spec_.residual);
  slices.push_back(spec_.outer_residual);
  return slices;
}

void Conv::compute(const View& view, Rows rows) const {
  // Bands of about the same height: 4 + 4 rows take less time than 6 + 2.
  for (int bands = (rows.count() + amx::kBandRows - 1) / amx::kBandRows; bands > 0; --bands) {
    const Rows band{rows.first, rows.first + (rows.count() + bands - 1) / bands};
    for (const PackedKernel& kernel : spec_.kernels) compute_band(view, kernel, band);
    rows.first = band.last;
  }
}

void Conv::compute_band(const View& view, const PackedKernel& kernel, Rows rows) const {
  const auto inputs = input_rows(view, kernel, rows);
  const auto outputs = output_rows(view, kernel, rows);
  amx::convolve({.rows = rows.count(),
                 .width = view[spec_.inputs.front()].width(),
                 .chunks = kernel.chunks,
                 .blocks = kernel.blocks,
                 .kernel_rows = kernel.rows,
                 .kernel_columns = kernel.columns,
                 .output_step = spec_.upscaling,
                 .scale = spec_.scale,
                 .outer_scale = spec_.outer_scale,
                 .input = inputs.data(),
                 .weights = kernel.weights.data_ptr(),
                 .bias = kernel.bias.data_ptr<float>(),
                 .slope = kernel.slope.data_ptr<float>(),
                 .output = outputs.data()});
}

std::vector<const Pixel*> Conv::input_rows(const View& view, const PackedKernel& kernel, Rows rows) const {
  std::vector<const Pixel*> pointers;
  const int first = rows.first + kernel.top, count = rows.count() + kernel.rows - 1;
  pointers.reserve(std::size_t(kernel.chunks) * count);
  for (const Slice& slice : spec_.inputs)
    for (int plane = slice.first; plane < slice.first + slice.count; ++plane)
      for (int y = first; y < first + count; ++y)
        pointers.push_back(view[slice].row_or_zeros(plane, y) + kernel.left);
  return pointers;
}

std::vector<amx::OutputRow> Conv::output_rows(const View& view, const PackedKernel& kernel, Rows rows) const {
  std::vector<amx::OutputRow> outputs;
  outputs.reserve(std::size_t(kernel.blocks) * rows.count());
  for (int block = 0; block < kernel.blocks; ++block)
    for (int y = rows.first; y < rows.last; ++y) {
      const int to = y * spec_.upscaling + kernel.output_y;
      const auto floats = [&](const Slice& slice) -> float* {
        return slice.count ? as_floats(view[slice].row(slice.first + block, to) + kernel.output_x) : nullptr;
      };
      amx::OutputRow row{.fp32 = floats(spec_.fp32),
                         .residual = floats(spec_.residual),
                         .outer_residual = floats(spec_.outer_residual)};
      if (spec_.bf16.count)
        row.bf16 = view[spec_.bf16].row(spec_.bf16.first + block / 2, to)[kernel.output_x].bytes +
                   block % 2 * kHalfPixel;
      outputs.push_back(row);
    }
  return outputs;
}

}  // namespace sr::fused
