#include "degrade/plane_filters.h"

#include <ATen/core/grad_mode.h>
#include <algorithm>

#include "core/error.h"

namespace sr {
namespace {

/// Where the pixel i of n lies; it is at most n - 1 beyond the ends.
std::int64_t bordered(std::int64_t i, std::int64_t n, Border border) {
  if (i >= 0 && i < n) return i;
  switch (border) {
    case Border::reflect: return i < 0 ? -i : 2 * (n - 1) - i;
    case Border::replicate: return i < 0 ? 0 : n - 1;
    case Border::wrap: return i < 0 ? i + n : i - n;
  }
  throw Error("unknown border");
}

/// Fills in row[first..-1] and row[width..width + last - 1] from within.
void extend(float* row, std::int64_t first, std::int64_t last, const PlaneShape& shape) {
  const std::int64_t width = shape.width;
  for (std::int64_t x = first; x < 0; ++x) row[x] = row[bordered(x, width, shape.border)];
  for (std::int64_t x = width; x < width + last; ++x) row[x] = row[bordered(x, width, shape.border)];
}

/// What correlate_band asks for: kernels of at least kBandRows - 1 rows.
void add_empty_rows(std::vector<float>& weights, std::int64_t columns) {
  const auto least = static_cast<std::size_t>((kBandRows - 1) * columns);
  if (weights.size() < least) weights.resize(least);
}

}  // namespace

bool loops_apply(const Tensor& images, at::TensorList kernels) {
  const auto requires_grad = [](const Tensor& tensor) { return tensor.requires_grad(); };
  const bool grad = images.requires_grad() || std::any_of(kernels.begin(), kernels.end(), requires_grad);
  return images.is_cpu() && images.scalar_type() == at::kFloat && !(grad && at::GradMode::is_enabled());
}

Taps centred_taps(const Tensor& kernel) {
  if (kernel.dim() != 1 || kernel.numel() % 2 == 0) throw Error("a separable kernel must be of odd length");
  const Tensor floats = kernel.to(at::kCPU, at::kFloat).contiguous();
  const float* weights = floats.data_ptr<float>();
  return {-(kernel.numel() / 2), {weights, weights + kernel.numel()}};
}

// --- separable -----------------------------------------------------------------------------------

SeparableFilter::SeparableFilter(const PlaneShape& shape, const Taps& column, const Taps& row)
    : shape_(shape),
      column_(column),
      row_(row),
      last_row_(column.last()),
      margin_(std::max({std::int64_t{0}, -row.first, row.last()})),
      stride_(shape.width + 2 * margin_),
      rows_(static_cast<std::size_t>(kBandRows * stride_)),
      shifted_(row.weights.size()) {
  add_empty_rows(column_.weights, 1);
  inputs_.resize(kBandRows - 1 + column_.weights.size());
}

void SeparableFilter::band(const float* plane, std::int64_t y, float* out) {
  const std::int64_t last = shape_.height - 1 + last_row_;  // below it are rows that nobody asked for
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const std::int64_t row = std::min(y + column_.first + static_cast<std::int64_t>(i), last);
    inputs_[i] = plane + bordered(row, shape_.height, shape_.border) * shape_.width;
  }
  correlate_band({.in = inputs_.data(),
                  .weights = column_.weights.data(),
                  .rows = column_.count(),
                  .columns = 1,
                  .out = rows_.data() + margin_,
                  .out_stride = stride_,
                  .width = shape_.width});
  for (std::int64_t i = 0; i < std::min<std::int64_t>(kBandRows, shape_.height - y); ++i) {
    float* row = rows_.data() + i * stride_ + margin_;
    extend(row, row_.first, row_.last(), shape_);
    for (std::int64_t k = 0; k < row_.count(); ++k)
      shifted_[static_cast<std::size_t>(k)] = row + row_.first + k;
    sum_rows({shifted_, row_.weights.data(), out + i * shape_.width, shape_.width});
  }
}

// --- direct --------------------------------------------------------------------------------------

DirectFilter::DirectFilter(const PlaneShape& shape, const KernelTaps& kernel)
    : shape_(shape),
      kernel_(kernel),
      last_row_(kernel.top + kernel.rows - 1),
      margin_(std::max({std::int64_t{0}, -kernel.left, kernel.left + kernel.columns - 1})),
      stride_(shape.width + 2 * margin_) {
  add_empty_rows(kernel_.weights, kernel_.columns);
  kernel_.rows = static_cast<std::int64_t>(kernel_.weights.size()) / kernel_.columns;
  inputs_.resize(static_cast<std::size_t>(kBandRows - 1 + kernel_.rows));
  rows_.resize(inputs_.size() * static_cast<std::size_t>(stride_));
  lowest_band_.resize(static_cast<std::size_t>(kBandRows * shape.width));
}

void DirectFilter::band(const float* plane, std::int64_t y, float* out) {
  const std::int64_t first = y + kernel_.top, end = first + static_cast<std::int64_t>(inputs_.size());
  make_ready(plane, first, end);
  for (std::int64_t row = first; row < end; ++row) inputs_[row - first] = ready_row(row) + kernel_.left;
  const bool lowest = y + kBandRows > shape_.height;
  correlate_band({.in = inputs_.data(),
                  .weights = kernel_.weights.data(),
                  .rows = kernel_.rows,
                  .columns = kernel_.columns,
                  .out = lowest ? lowest_band_.data() : out,
                  .out_stride = shape_.width,
                  .width = shape_.width});
  if (lowest) std::copy_n(lowest_band_.data(), (shape_.height - y) * shape_.width, out);
}

void DirectFilter::make_ready(const float* plane, std::int64_t first, std::int64_t end) {
  const bool goes_on = plane == plane_ && first <= ready_ && ready_ <= end;
  const std::int64_t last = shape_.height - 1 + last_row_;  // below it are rows that nobody asked for
  for (std::int64_t row = goes_on ? ready_ : first; row < end; ++row) {
    const std::int64_t from = bordered(std::min(row, last), shape_.height, shape_.border);
    float* to = ready_row(row);
    std::copy_n(plane + from * shape_.width, shape_.width, to);
    extend(to, kernel_.left, kernel_.left + kernel_.columns - 1, shape_);
  }
  plane_ = plane;
  ready_ = end;
}

float* DirectFilter::ready_row(std::int64_t row) {
  const auto ring = static_cast<std::int64_t>(inputs_.size());
  return rows_.data() + (row - kernel_.top) % ring * stride_ + margin_;
}

}  // namespace sr
