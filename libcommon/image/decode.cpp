#include "image/decode.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

#include "core/signals.h"
#include "image/samples.h"
#include "image/vips.h"

namespace sr {
namespace {

constexpr int kRowsPerRead = 128;

/// Rows from a libvips pipeline, decoded as they are asked for.
class DecodedRows final : public RowSource {
 public:
  explicit DecodedRows(Picture picture) : picture_(std::move(picture)) {}
  int width() const override { return picture_.width(); }
  int height() const override { return picture_.height(); }
  int planes() const override { return picture_.planes(); }

  Tensor next() override {
    check_interrupted();
    const int rows = std::min(kRowsPerRead, height() - top_);
    return naming_errors(picture_.name, [&] {
      size_t bytes = 0;
      auto band = picture_.image.extract_area(0, top_, width(), rows);
      const std::unique_ptr<void, decltype(&g_free)> samples(band.write_to_memory(&bytes), g_free);
      top_ += rows;
      return planes_from_samples(samples.get(), depth_of_samples(picture_.image), planes(), rows, width());
    });
  }

 private:
  Picture picture_;
  int top_ = 0;
};

/// Opaque rows of a source with alpha: dropped, or laid over a colour.
class OpaqueRows final : public RowSource {
 public:
  OpaqueRows(std::unique_ptr<RowSource> source, AlphaPolicy policy)
      : source_(std::move(source)), policy_(policy) {}
  int width() const override { return source_->width(); }
  int height() const override { return source_->height(); }
  int planes() const override { return source_->planes() - 1; }

  Tensor next() override {
    const auto rows = source_->next();
    const int64_t count = rows[0].numel();
    auto opaque = torch::empty({planes(), rows.size(1), rows.size(2)});
    const float* alpha = rows.data_ptr<float>() + planes() * count;
    for (int plane = 0; plane < planes(); plane++) {
      lay_over(rows.data_ptr<float>() + plane * count, alpha, background(plane), count,
               opaque.data_ptr<float>() + plane * count);
    }
    return opaque;
  }

 private:
  float background(int plane) const {
    const auto& c = policy_.colour;
    return planes() == 1 ? 0.299F * c[0] + 0.587F * c[1] + 0.114F * c[2] : c[static_cast<size_t>(plane)];
  }
  void lay_over(const float* colour, const float* alpha, float background, int64_t count, float* out) const {
    const bool drop = policy_.kind == AlphaPolicy::Kind::drop;
    for (int64_t i = 0; i < count; i++) {
      out[i] = drop ? colour[i] : background + (colour[i] - background) * alpha[i];
    }
  }
  std::unique_ptr<RowSource> source_;
  AlphaPolicy policy_;
};

std::array<float, 3> parse_colour(std::string_view text) {
  if (text == "white") return {1, 1, 1};
  if (text == "black") return {0, 0, 0};
  if (text == "grey" || text == "gray") return {0.5F, 0.5F, 0.5F};
  unsigned rgb = 0;
  const auto* end = text.data() + text.size();
  if (text.size() != 7 || text[0] != '#' || std::from_chars(text.data() + 1, end, rgb, 16).ptr != end) {
    throw UsageError(fmt::format("--alpha: '{}' is no colour (white, black, grey or #RRGGBB)", text));
  }
  const auto part = [rgb](unsigned shift) { return static_cast<float>(rgb >> shift & 255U) / 255.F; };
  return {part(16), part(8), part(0)};
}

}  // namespace

AlphaPolicy AlphaPolicy::parse(std::string_view text) {
  if (text == "keep") return {};
  if (text == "drop") return {Kind::drop};
  if (text == "flatten") return {Kind::flatten};
  constexpr std::string_view flatten = "flatten=";
  if (text.substr(0, flatten.size()) == flatten)
    return {Kind::flatten, parse_colour(text.substr(flatten.size()))};
  throw UsageError(fmt::format("--alpha: '{}' is none of keep, drop, flatten=COLOUR", text));
}

std::unique_ptr<RowSource> decode_rows(const Picture& picture, const AlphaPolicy& alpha) {
  auto rows = std::make_unique<DecodedRows>(picture);
  if (!picture.alpha || alpha.kind == AlphaPolicy::Kind::keep) return rows;
  return std::make_unique<OpaqueRows>(std::move(rows), alpha);
}

Tensor decode(const Picture& picture, const AlphaPolicy& alpha) {
  RowWindow window(decode_rows(picture, alpha));
  return window.rows(0, picture.height());
}

Area middle_area(int height, int width, int most) {
  const int h = std::min(height, most), w = std::min(width, most);
  return {(width - w) / 2, (height - h) / 2, w, h};
}

Tensor decode_area(const Picture& picture, const Area& area) {
  // from the top on, in order: libvips' threads lose their way where lines of a stream are skipped
  const auto rows = decode_rows(picture, {AlphaPolicy::Kind::flatten});
  std::vector<Tensor> kept;
  const int bottom = area.top + area.height;
  for (int y = 0; y < bottom;) {
    const auto strip = rows->next();
    const int length = static_cast<int>(strip.size(1));
    const int from = std::max(area.top - y, 0), to = std::min(bottom - y, length);
    if (from < to)
      kept.push_back(strip.slice(1, from, to).slice(2, area.left, area.left + area.width).clone());
    y += length;
  }
  return at::cat(kept, 1).expand({3, -1, -1}).contiguous();
}

}  // namespace sr
