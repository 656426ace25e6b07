#include "image/luma_rows.h"

#include "image/colour.h"

namespace sr {
namespace {

constexpr int kColours = 3;

class LumaRows final : public RowSource {
 public:
  explicit LumaRows(std::unique_ptr<RowSource> source) : source_(std::move(source)) {}
  int width() const override { return source_->width(); }
  int height() const override { return source_->height(); }
  int planes() const override { return source_->planes() - kColours + 1; }

  Tensor next() override {
    const Tensor rows = source_->next();
    const Tensor unit = rows.scalar_type() == at::kByte ? rows.to(at::kFloat).div(255) : rows;
    const Tensor y = luma(unit.slice(0, 0, kColours).contiguous()).mul(255).round().div(255);
    return at::cat({y, unit.slice(0, kColours)});
  }

 private:
  std::unique_ptr<RowSource> source_;
};

}  // namespace

std::unique_ptr<RowSource> luma_rows(std::unique_ptr<RowSource> source) {
  if (source->planes() < kColours) return source;
  return std::make_unique<LumaRows>(std::move(source));
}

}  // namespace sr
