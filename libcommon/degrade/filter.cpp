#include "degrade/filter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "core/error.h"
#include "degrade/plane_filters.h"

namespace sr {
namespace {

void check_images(const Tensor& images, std::int64_t kernel_height, std::int64_t kernel_width) {
  if (images.dim() != 4) throw Error("filters take pictures [N,C,H,W]");
  if (images.size(2) <= kernel_height / 2 || images.size(3) <= kernel_width / 2) {
    throw Error(fmt::format("a picture of {}x{} pixels is too small for a filter of {}x{}", images.size(3),
                            images.size(2), kernel_width, kernel_height));
  }
}

// --- by ATen -------------------------------------------------------------------------------------

Tensor padded(const Tensor& images, std::int64_t rows, std::int64_t columns, Border border) {
  const char* mode = border == Border::reflect     ? "reflect"
                     : border == Border::replicate ? "replicate"
                                                   : "circular";
  return at::pad(images, {columns, columns, rows, rows}, mode);
}

/// `kernels` [1 or N, rows, columns].
Tensor convolved(const Tensor& padded_images, const Tensor& kernels) {
  const std::int64_t n = padded_images.size(0), channels = padded_images.size(1);
  const Tensor weights =
      kernels.to(padded_images.options()).expand({n, -1, -1}).repeat_interleave(channels, 0).unsqueeze(1);
  constexpr std::array<std::int64_t, 2> stride{1, 1}, padding{0, 0}, dilation{1, 1};
  const Tensor planes = padded_images.flatten(0, 1).unsqueeze(0);
  return at::conv2d(planes, weights, {}, stride, at::IntArrayRef(padding), dilation, n * channels)
      .squeeze(0)
      .unflatten(0, {n, channels});
}

// --- on the CPU ----------------------------------------------------------------------------------

/// A square kernel, read once.
struct Kernel {
  std::int64_t size;
  std::vector<double> weights;

  std::int64_t centre() const { return size / 2; }
  double at(std::int64_t i, std::int64_t j) const { return weights[static_cast<std::size_t>(i * size + j)]; }
};

/// [top, bottom) x [left, right) of a kernel.
struct Box {
  std::int64_t top, bottom, left, right;
  std::int64_t rows() const { return bottom - top; }
  std::int64_t columns() const { return right - left; }
};

double magnitude(const Kernel& kernel, const Box& box) {
  double sum = 0;
  for (std::int64_t i = box.top; i < box.bottom; ++i) {
    for (std::int64_t j = box.left; j < box.right; ++j) sum += std::abs(kernel.at(i, j));
  }
  return sum;
}

/// The part of a kernel that is left without the outer rows and columns that are too small, all together, to
/// be seen in a float32 sum. The official kernels are padded with zeros to 21x21.
Box trimmed(const Kernel& kernel) {
  Box box{0, kernel.size, 0, kernel.size};
  double allowed = magnitude(kernel, box) * std::numeric_limits<float>::epsilon() / 2;
  const auto drop = [&](const Box& line, std::int64_t& side, int step) {
    const double dropped = magnitude(kernel, line);
    if (!(dropped <= allowed)) return false;
    allowed -= dropped;
    side += step;
    return true;
  };
  bool smaller = true;
  while (smaller) {
    smaller = false;
    if (box.rows() > 1) smaller |= drop({box.top, box.top + 1, box.left, box.right}, box.top, 1);
    if (box.rows() > 1) smaller |= drop({box.bottom - 1, box.bottom, box.left, box.right}, box.bottom, -1);
    if (box.columns() > 1) smaller |= drop({box.top, box.bottom, box.left, box.left + 1}, box.left, 1);
    if (box.columns() > 1) smaller |= drop({box.top, box.bottom, box.right - 1, box.right}, box.right, -1);
  }
  return box;
}

struct SeparableTaps {
  Taps column, row;
};

/// How a kernel is to be applied; nothing where it changes nothing.
using Plan = std::variant<std::monostate, SeparableTaps, KernelTaps>;

/// The factors of a kernel of rank 1: its row sums, and its column sums over the sum of all.
std::optional<SeparableTaps> separated(const Kernel& kernel, const Box& box) {
  std::vector<double> column(static_cast<std::size_t>(box.rows())),
      row(static_cast<std::size_t>(box.columns()));
  double sum = 0, peak = 0;
  for (std::int64_t i = 0; i < box.rows(); ++i) {
    for (std::int64_t j = 0; j < box.columns(); ++j) {
      const double weight = kernel.at(box.top + i, box.left + j);
      column[i] += weight;
      row[j] += weight;
      sum += weight;
      peak = std::max(peak, std::abs(weight));
    }
  }
  for (double& weight : row) weight /= sum;
  for (std::int64_t i = 0; i < box.rows(); ++i) {
    for (std::int64_t j = 0; j < box.columns(); ++j) {
      const double error = std::abs(kernel.at(box.top + i, box.left + j) - column[i] * row[j]);
      if (!(error <= std::numeric_limits<float>::epsilon() * peak)) return {};
    }
  }
  return SeparableTaps{{box.top - kernel.centre(), {column.begin(), column.end()}},
                       {box.left - kernel.centre(), {row.begin(), row.end()}}};
}

KernelTaps direct(const Kernel& kernel, const Box& box) {
  KernelTaps taps{box.top - kernel.centre(), box.left - kernel.centre(), box.rows(), box.columns(), {}};
  // The corners of a narrow Gaussian are denormal numbers, with which processors are very slow.
  const double least = 1e-12 * magnitude(kernel, box);
  for (std::int64_t i = box.top; i < box.bottom; ++i) {
    for (std::int64_t j = box.left; j < box.right; ++j) {
      const double weight = kernel.at(i, j);
      taps.weights.push_back(std::abs(weight) < least ? 0.0f : static_cast<float>(weight));
    }
  }
  return taps;
}

Plan plan_for(const Kernel& kernel) {
  const Box box = trimmed(kernel);
  const std::int64_t centre = kernel.centre();
  const bool pulse = box.rows() == 1 && box.columns() == 1 && box.top == centre && box.left == centre;
  if (pulse && kernel.at(centre, centre) == 1) return {};
  if (auto taps = separated(kernel, box)) return *std::move(taps);
  return direct(kernel, box);
}

/// Runs a filter over all planes of `images` (contiguous), in parallel; which thread makes a band does not
/// change it.
template <typename Filter>
void filter_planes(const Tensor& images, const Filter& prototype, const PlaneShape& shape, Tensor& output) {
  constexpr std::int64_t kBandsPerTask = 16;
  const float* in = images.data_ptr<float>();
  float* out = output.data_ptr<float>();
  const std::int64_t bands = shape.bands(), planes = images.numel() / (shape.height * shape.width);
  at::parallel_for(0, planes * bands, kBandsPerTask, [&](std::int64_t begin, std::int64_t end) {
    Filter filter = prototype;
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t plane = task / bands * shape.height * shape.width, y = task % bands * kBandRows;
      filter.band(in + plane, y, out + plane + y * shape.width);
    }
  });
}

/// `images` and `output` are contiguous.
void apply(const Plan& plan, const Tensor& images, Border border, Tensor& output) {
  const PlaneShape shape{images.size(-2), images.size(-1), border};
  if (const auto* taps = std::get_if<SeparableTaps>(&plan)) {
    filter_planes(images, SeparableFilter(shape, taps->column, taps->row), shape, output);
  } else if (const auto* kernel = std::get_if<KernelTaps>(&plan)) {
    filter_planes(images, DirectFilter(shape, *kernel), shape, output);
  } else {
    output.copy_(images);
  }
}

/// One for each of `kernels` [n, size, size].
std::vector<Plan> plans_for(const Tensor& kernels) {
  const Tensor doubles = kernels.to(at::kCPU, at::kDouble).contiguous();
  const double* weights = doubles.data_ptr<double>();
  const std::int64_t taps = kernels.size(1) * kernels.size(2);
  std::vector<Plan> plans;
  for (std::int64_t n = 0; n < kernels.size(0); ++n, weights += taps) {
    plans.push_back(plan_for({kernels.size(1), {weights, weights + taps}}));
  }
  return plans;
}

Tensor filtered(const Tensor& images, const std::vector<Plan>& plans, Border border) {
  const auto changes_nothing = [](const Plan& plan) { return std::holds_alternative<std::monostate>(plan); };
  if (std::all_of(plans.begin(), plans.end(), changes_nothing)) return images;
  const Tensor input = images.contiguous();
  Tensor output = at::empty_like(input);
  if (plans.size() == 1) {
    apply(plans.front(), input, border, output);
    return output;
  }
  for (std::size_t n = 0; n < plans.size(); ++n) {
    Tensor sample = output[static_cast<std::int64_t>(n)];
    apply(plans[n], input[static_cast<std::int64_t>(n)], border, sample);
  }
  return output;
}

}  // namespace

Tensor filter2d(const Tensor& images, const Tensor& kernels, Border border) {
  const Tensor stacked = kernels.dim() == 2 ? kernels.unsqueeze(0) : kernels;
  if (stacked.dim() != 3 || stacked.size(1) != stacked.size(2) || stacked.size(1) % 2 == 0) {
    throw Error("a filter's kernel must be square and of odd size");
  }
  check_images(images, stacked.size(1), stacked.size(2));
  if (stacked.size(0) != 1 && stacked.size(0) != images.size(0)) {
    throw Error(fmt::format("{} kernels cannot be applied to {} pictures", stacked.size(0), images.size(0)));
  }
  if (loops_apply(images, {kernels})) return filtered(images, plans_for(stacked), border);
  const std::int64_t radius = stacked.size(1) / 2;
  return convolved(padded(images, radius, radius, border), stacked);
}

Tensor filter_separable(const Tensor& images, const Tensor& column, const Tensor& row, Border border) {
  const Taps down = centred_taps(column), along = centred_taps(row);
  check_images(images, down.count(), along.count());
  if (loops_apply(images, {column, row})) return filtered(images, {SeparableTaps{down, along}}, border);
  const Tensor framed = padded(images, down.last(), along.last(), border);
  return convolved(convolved(framed, column.view({1, -1, 1})), row.view({1, 1, -1}));
}

}  // namespace sr
