#include "infer/upscaled_rows.h"

#include <algorithm>
#include <cmath>

#include "core/signals.h"
#include "image/resize.h"
#include "image/samples.h"

namespace sr {
namespace {

constexpr int kSpread = 16;            // how far colour is carried into what is transparent, in pixels
constexpr int kAlphaContext = 4;       // more than the bicubic kernel reaches
constexpr double kStripBytes = 128e6;  // for the strip that goes out
constexpr double kTileBytes = 640e6;   // for a network's activations

/// Colours under full transparency are whatever an editor left there: they are replaced by the mean of the
/// visible ones around (weighted by alpha), from the nearest ring that has any.
Tensor spread_colour(const Tensor& colour, const Tensor& alpha) {
  auto result = colour, known = alpha.gt(0).to(at::kFloat);
  const auto premultiplied = (colour * alpha).unsqueeze(0);
  for (int radius = 1; radius <= kSpread; radius *= 2) {
    const auto mean = [radius](const Tensor& t) {
      return at::avg_pool2d(t, 2 * radius + 1, 1, radius).squeeze(0);
    };
    const auto weight = mean(alpha.unsqueeze(0));
    const auto found = weight.gt(0).to(at::kFloat) * (1 - known);
    result = result * (1 - found) + mean(premultiplied) / weight.clamp_min(1e-6) * found;
    known = known + found;
  }
  return result * known;
}

/// The weights of blend_weight along a tile, shaped to multiply [C,h,w] along `axis`.
Tensor blend_ramp(const TileSpan& tile, int length, int scale, int blend, int axis) {
  auto ramp = torch::empty({(tile.end - tile.begin) * scale});
  for (int i = 0; i < ramp.size(0); i++) {
    ramp.data_ptr<float>()[i] = blend_weight(tile, i, length, scale, blend);
  }
  return axis == 1 ? ramp.view({1, -1, 1}) : ramp.view({1, 1, -1});
}

TileMargins choose_margins(const Engine& engine, const UpscaleOptions& options) {
  const auto margins = margins_for(engine.shape(), engine.reduces_precision());
  if (options.tile == 0) return {margins.context, 0, margins.alignment};
  return options.tile_pad < 0 ? margins : TileMargins{options.tile_pad, 0, margins.alignment};
}

class UpscaledRows final : public RowSource {
 public:
  UpscaledRows(std::unique_ptr<RowSource> input, Engine& engine, const UpscaleOptions& options)
      : window_(std::move(input)),
        engine_(engine),
        scale_(engine.shape().scale),
        has_alpha_(window_.source().planes() % 2 == 0),
        quantise_(options.quantise),
        margins_(choose_margins(engine, options)),
        columns_(plan_axis(window_.source().width(), tile_width(options.tile), margins_)),
        strips_(plan_axis(window_.source().height(), tile_height(options.tile), margins_)) {
    if (has_alpha_) {
      alpha_.emplace(axis(window_.source().height()), axis(window_.source().width()));
    }
  }

  int width() const override { return window_.source().width() * scale_; }
  int height() const override { return window_.source().height() * scale_; }
  int planes() const override { return window_.source().planes(); }

  Tensor next() override {
    check_interrupted();
    const auto& tile = strips_.at(next_++);
    const int first = std::max(0, tile.input_begin - (has_alpha_ ? kAlphaContext : 0));
    const int end = std::min(window_.source().height(), tile.input_end + (has_alpha_ ? kAlphaContext : 0));
    const auto input = window_.rows(first, end);
    Tensor strip;
    engine_.stage().run([&] { strip = enlarge(input, first, tile); });
    return strip;
  }

 private:
  ResizeAxis axis(int length) const {
    return resize_axis(length, int64_t{length} * scale_, scale_, {}, at::kFloat);
  }

  /// In input pixels; as much as the memory set aside for activations allows.
  int largest_tile() const {
    return std::clamp(static_cast<int>(std::sqrt(kTileBytes / engine_.bytes_per_pixel())), 64, 768);
  }

  int tile_width(int given) const {
    return given >= 0 ? given : even_tile(window_.source().width(), largest_tile());
  }

  /// As many rows as the memory set aside for a strip allows.
  int tile_height(int given) const {
    if (given >= 0) return given;
    const double sample = quantise_ ? 1 : sizeof(float);
    const double bytes_per_row = sample * planes() * width() * scale_;
    const int rows = std::clamp(static_cast<int>(kStripBytes / bytes_per_row), 1, largest_tile());
    return even_tile(window_.source().height(), rows);
  }

  /// Rows [tile.begin, tile.end) enlarged; those that the next strip mixes in stay behind.
  Tensor enlarge(const Tensor& input, int first, const TileSpan& tile) {
    const int64_t colours = planes() - (has_alpha_ ? 1 : 0);
    const auto context = input.slice(1, tile.input_begin - first, tile.input_end - first);
    auto colour = context.slice(0, 0, colours);
    if (has_alpha_) colour = spread_colour(colour, context.slice(0, colours));
    auto strip = empty_strip((tile.end - tile.begin) * scale_);
    for (const auto& column : columns_) {
      check_interrupted();
      place(engine_.forward(colour.slice(2, column.input_begin, column.input_end), margins_.context), tile,
            column, strip.slice(0, 0, colours));
    }
    if (has_alpha_) put(alpha_rows(tile, input, first), strip.slice(0, colours));
    return margins_.blend > 0 ? hand_over(strip, tile) : strip;
  }

  bool sums() const { return margins_.blend > 0; }

  /// Interleaved in memory, as it will be written.
  Tensor empty_strip(int64_t rows) const {
    const auto type = quantise_ && !sums() ? at::kByte : at::kFloat;
    const std::vector<int64_t> size{rows, width(), planes()};
    return (sums() ? torch::zeros(size, type) : torch::empty(size, type)).permute({2, 0, 1});
  }

  static void put(const Tensor& from, const Tensor& to) {
    to.scalar_type() == at::kByte ? quantise(from, to) : void(to.copy_(from));
  }

  /// The used part of a tile's result into its place in the strip, in the mix with its neighbours.
  void place(const Tensor& result, const TileSpan& row, const TileSpan& column, const Tensor& strip) const {
    const auto used =
        result.slice(1, (row.begin - row.input_begin) * scale_, (row.end - row.input_begin) * scale_)
            .slice(2, (column.begin - column.input_begin) * scale_,
                   (column.end - column.input_begin) * scale_);
    const auto target = strip.slice(2, column.begin * scale_, column.end * scale_);
    if (!sums()) return put(used, target);
    const auto& source = window_.source();
    target.add_(used * blend_ramp(column, source.width(), scale_, margins_.blend, 2) *
                blend_ramp(row, source.height(), scale_, margins_.blend, 1));
  }

  Tensor alpha_rows(const TileSpan& tile, const Tensor& input, int first) const {
    const auto ramp =
        sums() ? blend_ramp(tile, window_.source().height(), scale_, margins_.blend, 1) : torch::ones(1);
    return alpha_->rows(int64_t{tile.begin} * scale_, int64_t{tile.end} * scale_, input.slice(0, -1), first)
               .clamp(0, 1) *
           ramp;
  }

  /// Adds what the strip before left of the shared rows, and keeps back what the next one shares.
  Tensor hand_over(const Tensor& strip, const TileSpan& tile) {
    if (carried_.defined()) strip.slice(1, 0, carried_.size(1)).add_(carried_);
    const bool last = tile.end == window_.source().height();
    const int64_t done = strip.size(1) - (last ? 0 : 2 * margins_.blend * scale_);
    carried_ = strip.slice(1, done).clone();
    const auto ready = strip.slice(1, 0, done);
    if (!quantise_) return ready;
    const auto bytes = torch::empty({done, width(), planes()}, at::kByte).permute({2, 0, 1});
    quantise(ready, bytes);
    return bytes;
  }

  RowWindow window_;
  Engine& engine_;
  int scale_;
  bool has_alpha_;
  bool quantise_;
  TileMargins margins_;
  std::vector<TileSpan> columns_, strips_;
  std::optional<Resizer> alpha_;
  size_t next_ = 0;
  Tensor carried_;
};

}  // namespace

std::unique_ptr<RowSource> upscale_rows(std::unique_ptr<RowSource> input, Engine& engine,
                                        const UpscaleOptions& options) {
  return std::make_unique<UpscaledRows>(std::move(input), engine, options);
}

}  // namespace sr
