#include "diffusion/vae_tiles.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"

namespace sr {
namespace {

// What a tile sees around it decides its result, so these are the original's.
constexpr int64_t kEncoderMargin = 32, kDecoderMargin = 11;

/// A tile along one axis: [input_begin,input_end) is shown, [begin,end) of it used.
struct Span {
  int64_t input_begin, input_end, begin, end;
};

int64_t ceil_div(int64_t value, int64_t divisor) { return (value + divisor - 1) / divisor; }

/// `length`, or the roundest greater number up to `most`.
int64_t rounder(int64_t length, int64_t most) {
  for (int64_t step = 32; step >= 2; step /= 2) {
    const int64_t next = ceil_div(length, step) * step;
    if (next == length || next <= most) return next;
  }
  return length;
}

std::vector<Span> spans(int64_t side, const VaeTiling& tiling) {
  const int64_t inner = side - 2 * tiling.margin, count = ceil_div(inner, tiling.size);
  if (count <= 1) return {{0, side, 0, side}};
  const int64_t length = rounder(ceil_div(inner, count), tiling.size);
  std::vector<Span> list;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = tiling.margin + i * length, end = std::min(begin + length, side);
    list.push_back({.input_begin = begin - tiling.margin,
                    .input_end = std::min(end + tiling.margin, side),
                    .begin = i == 0 ? 0 : begin,
                    .end = end < side - tiling.margin ? end : side});
  }
  return list;
}

}  // namespace

Tensor Box::of(const Tensor& map) const { return map.slice(2, top, bottom).slice(3, left, right); }

Box VaeTiling::within(const VaeTile& tile) const {
  const int64_t top = scaled(tile.input.top), left = scaled(tile.input.left);
  return {.top = tile.output.top - top,
          .bottom = tile.output.bottom - top,
          .left = tile.output.left - left,
          .right = tile.output.right - left};
}

VaeTiling encoder_tiling(int64_t size, int64_t factor) {
  if (factor < 1 || kEncoderMargin % factor != 0)
    throw Error(fmt::format("an autoencoder of factor {} cannot go tile by tile", factor));
  if (size < 0 || size % factor != 0)
    throw UsageError(fmt::format("tiles of {} pixels are no multiple of {}", size, factor));
  return {.size = size, .margin = kEncoderMargin, .enlarges = 1, .shrinks = factor};
}

VaeTiling decoder_tiling(int64_t size, int64_t factor) {
  if (size < 0) throw UsageError(fmt::format("tiles cannot have {} latents", size));
  return {.size = size, .margin = kDecoderMargin, .enlarges = factor, .shrinks = 1};
}

std::vector<VaeTile> vae_tiles(int64_t height, int64_t width, const VaeTiling& tiling) {
  std::vector<Span> rows{{0, height, 0, height}}, columns{{0, width, 0, width}};
  if (tiling.size > 0) {
    rows = spans(height, tiling);
    columns = spans(width, tiling);
  }
  std::vector<VaeTile> tiles;
  for (const Span& row : rows) {
    for (const Span& column : columns) {
      tiles.push_back({.input = {row.input_begin, row.input_end, column.input_begin, column.input_end},
                       .output = {tiling.scaled(row.begin), tiling.scaled(row.end),
                                  tiling.scaled(column.begin), tiling.scaled(column.end)}});
    }
  }
  return tiles;
}

}  // namespace sr
