#include "image/resized_rows.h"

#include <algorithm>

namespace sr {
namespace {

constexpr int kRowsPerStrip = 128;  // of the larger of the two pictures: not much of either is in memory

/// Colour times alpha, the last plane.
Tensor premultiplied(const Tensor& rows) {
  const auto alpha = rows.slice(0, -1);
  return at::cat({rows.slice(0, 0, -1) * alpha, alpha}, 0);
}

Tensor unpremultiplied(const Tensor& rows) {
  constexpr double kLeast = 1.0 / 65535;  // below this, colour is not seen in any depth
  const auto alpha = rows.slice(0, -1).clamp(0, 1);
  return at::cat({rows.slice(0, 0, -1) / alpha.clamp_min(kLeast), alpha}, 0);
}

class ResizedRows final : public RowSource {
 public:
  ResizedRows(std::unique_ptr<RowSource> source, Resizer resizer, Stage& stage)
      : window_(std::move(source)), resizer_(std::move(resizer)), stage_(stage) {}
  int width() const override { return static_cast<int>(resizer_.width()); }
  int height() const override { return static_cast<int>(resizer_.height()); }
  int planes() const override { return window_.source().planes(); }

  Tensor next() override {
    const double shrinks = std::max(1.0, static_cast<double>(window_.source().height()) / height());
    const int rows_per_strip = std::max(1, static_cast<int>(kRowsPerStrip / shrinks));
    const int end = std::min(done_ + rows_per_strip, height());
    const auto needed = resizer_.input_rows(done_, end);
    const auto input = window_.rows(static_cast<int>(needed.begin), static_cast<int>(needed.end));
    Tensor rows;
    stage_.run([&] {
      const bool alpha = planes() % 2 == 0;
      rows = resizer_.rows(done_, end, alpha ? premultiplied(input) : input, needed.begin);
      if (alpha) rows = unpremultiplied(rows);
    });
    done_ = end;
    return rows;
  }

 private:
  RowWindow window_;
  Resizer resizer_;
  Stage& stage_;
  int done_ = 0;
};

}  // namespace

std::unique_ptr<RowSource> resize_rows(std::unique_ptr<RowSource> source, int height, int width,
                                       const ResizeOptions& options, Stage& stage) {
  auto resizer = Resizer::to_size(source->height(), source->width(), height, width, options);
  return std::make_unique<ResizedRows>(std::move(source), std::move(resizer), stage);
}

std::unique_ptr<RowSource> scale_rows(std::unique_ptr<RowSource> source, double scale,
                                      const ResizeOptions& options, Stage& stage) {
  auto resizer = Resizer::by_scale(source->height(), source->width(), scale, options);
  return std::make_unique<ResizedRows>(std::move(source), std::move(resizer), stage);
}

}  // namespace sr
