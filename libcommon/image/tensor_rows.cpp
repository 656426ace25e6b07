#include "image/tensor_rows.h"

namespace sr {
namespace {

class TensorRows final : public RowSource {
 public:
  explicit TensorRows(Tensor planes) : planes_(std::move(planes)) {}
  int width() const override { return static_cast<int>(planes_.size(2)); }
  int height() const override { return static_cast<int>(planes_.size(1)); }
  int planes() const override { return static_cast<int>(planes_.size(0)); }
  Tensor next() override { return planes_; }

 private:
  Tensor planes_;
};

}  // namespace

std::unique_ptr<RowSource> rows_of(const Tensor& planes) { return std::make_unique<TensorRows>(planes); }

}  // namespace sr
