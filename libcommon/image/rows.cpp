#include "image/rows.h"

#include <algorithm>
#include <cstring>

namespace sr {
namespace {

/// Copies rows by hand: LibTorch would start a thread pool on every thread that decodes.
void copy_rows(const Tensor& from, int64_t from_row, const Tensor& to, int64_t to_row, int64_t count) {
  const int64_t width = to.size(2);
  for (int64_t plane = 0; plane < to.size(0); plane++) {
    std::memcpy(to.data_ptr<float>() + (plane * to.size(1) + to_row) * width,
                from.data_ptr<float>() + (plane * from.size(1) + from_row) * width,
                static_cast<size_t>(count * width) * sizeof(float));
  }
}

}  // namespace

Tensor RowWindow::rows(int first, int end) {
  while (end_ < end) {
    strips_.push_back(source_->next().contiguous());
    end_ += static_cast<int>(strips_.back().size(1));
  }
  while (first_ + strips_.front().size(1) <= first) {
    first_ += static_cast<int>(strips_.front().size(1));
    strips_.pop_front();
  }
  auto window = torch::empty({source_->planes(), end - first, source_->width()});
  int top = first_;
  for (const auto& strip : strips_) {
    const int bottom = top + static_cast<int>(strip.size(1));
    const int from = std::max(top, first), to = std::min(bottom, end);
    if (from < to) copy_rows(strip, from - top, window, from - first, to - from);
    top = bottom;
  }
  return window;
}

}  // namespace sr
