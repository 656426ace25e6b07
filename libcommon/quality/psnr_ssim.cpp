#include "quality/psnr_ssim.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <vector>

#include "core/error.h"
#include "image/colour.h"

namespace sr {
namespace {

/// One channel of both images, rows one after the other.
struct PlanePair {
  const double* a;
  const double* b;
  std::int64_t height, width;
};

void check_pair(const Tensor& a, const Tensor& b, std::int64_t crop) {
  const auto usable = [](const Tensor& image) {
    const auto type = image.scalar_type();
    return image.dim() == 3 && image.size(0) > 0 && image.device().is_cpu() &&
           (type == at::kByte || type == at::kFloat || type == at::kDouble);
  };
  if (!usable(a) || !usable(b)) throw Error("images to compare must be uint8, float32 or float64 [C, H, W]");
  if (a.sizes() != b.sizes()) {
    throw Error(fmt::format("the images differ in size: {}x{} with {} channels, {}x{} with {}", a.size(2),
                            a.size(1), a.size(0), b.size(2), b.size(1), b.size(0)));
  }
  if (crop < 0 || std::min(a.size(1), a.size(2)) <= 2 * crop) {
    throw Error(fmt::format("a crop of {} leaves nothing of {}x{} pixels", crop, a.size(2), a.size(1)));
  }
}

Tensor prepared(const Tensor& image, const Protocol& protocol) {
  const std::int64_t crop = protocol.crop_border;
  const Tensor inner = image.slice(1, crop, image.size(1) - crop).slice(2, crop, image.size(2) - crop);
  return protocol.luma && image.size(0) == 3 ? luma_255(inner) : inner;
}

/// The mean of measure(PlanePair) over the channels that the protocol compares.
template <typename Measure>
double mean_of_channels(const Tensor& a, const Tensor& b, const Protocol& protocol, const Measure& measure) {
  check_pair(a, b, protocol.crop_border);
  const Tensor first = prepared(a, protocol), second = prepared(b, protocol);
  double sum = 0;
  for (std::int64_t c = 0; c < first.size(0); ++c) {
    const Tensor x = first[c].to(at::kDouble).contiguous(), y = second[c].to(at::kDouble).contiguous();
    sum += measure(PlanePair{x.data_ptr<double>(), y.data_ptr<double>(), x.size(0), x.size(1)});
  }
  return sum / static_cast<double>(first.size(0));
}

/// The sum of part(begin, end) over bands of rows: the same bands, added in the same order, for any number of
/// threads.
template <typename Part>
double sum_of_bands(std::int64_t rows, const Part& part) {
  constexpr std::int64_t band = 32;
  std::vector<double> sums(static_cast<std::size_t>((rows + band - 1) / band));
  at::parallel_for(0, static_cast<std::int64_t>(sums.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) sums[i] = part(i * band, std::min(rows, (i + 1) * band));
  });
  double sum = 0;
  for (const double s : sums) sum += s;
  return sum;
}

double mean_squared_error(const PlanePair& planes) {
  const double sum = sum_of_bands(planes.height, [&](std::int64_t begin, std::int64_t end) {
    double band = 0;
    for (std::int64_t i = begin * planes.width; i < end * planes.width; ++i) {
      const double difference = planes.a[i] - planes.b[i];
      band += difference * difference;
    }
    return band;
  });
  return sum / static_cast<double>(planes.height * planes.width);
}

double decibels(double mse) { return 10 * std::log10(1 / mse); }

// --- SSIM ----------------------------------------------------------------------------------------

constexpr std::int64_t kWindow = 11;
constexpr std::int64_t kLanes = 4;  // neighbours summed at once, in vector registers
using Lanes = std::array<double, kLanes>;

std::array<double, kWindow> gaussian_window() {
  constexpr double sigma = 1.5;
  constexpr std::int64_t centre = kWindow / 2;
  std::array<double, kWindow> window{};
  double sum = 0;
  for (std::int64_t i = 0; i < kWindow; ++i) {
    const double x = static_cast<double>(i - centre) / sigma;
    sum += window[i] = std::exp(-x * x / 2);
  }
  for (double& w : window) w /= sum;
  return window;
}

/// The SSIM of one row after another. The window is separable: sums down the columns, then along the row.
class SsimRows {
 public:
  explicit SsimRows(const PlanePair& planes)
      : planes_(planes), window_(gaussian_window()), ssim_(padded(planes.width)) {
    for (auto& sums : columns_) sums = padded(planes.width);
  }

  /// The sum of the SSIM map's row `y` (the window's top row).
  double row(std::int64_t y) {
    // The last chunk moves back to end with the row: a window is wider than a chunk.
    for (std::int64_t x = 0; x < planes_.width; x += kLanes)
      sum_columns(y, std::min(x, planes_.width - kLanes));
    const std::int64_t width = planes_.width - kWindow + 1;
    for (std::int64_t x = 0; x < width; x += kLanes) compare(x);
    double sum = 0;
    for (std::int64_t x = 0; x < width; ++x) sum += ssim_[x];
    return sum;
  }

 private:
  static std::vector<double> padded(std::int64_t width) { return std::vector<double>(width + kLanes); }

  void sum_columns(std::int64_t y, std::int64_t x) {
    Lanes a{}, b{}, squares{}, products{};
    for (std::int64_t k = 0; k < kWindow; ++k) {
      const double* pa = planes_.a + (y + k) * planes_.width + x;
      const double* pb = planes_.b + (y + k) * planes_.width + x;
      for (std::int64_t j = 0; j < kLanes; ++j) {
        const double wa = window_[k] * pa[j], wb = window_[k] * pb[j];
        a[j] += wa;
        b[j] += wb;
        squares[j] += wa * pa[j] + wb * pb[j];
        products[j] += wa * pb[j];
      }
    }
    const std::array<const Lanes*, 4> sums = {&a, &b, &squares, &products};
    for (std::size_t i = 0; i < sums.size(); ++i)
      std::copy(sums[i]->begin(), sums[i]->end(), &columns_[i][x]);
  }

  Lanes sum_row(const std::vector<double>& columns, std::int64_t x) const {
    Lanes sums{};
    for (std::int64_t k = 0; k < kWindow; ++k) {
      for (std::int64_t j = 0; j < kLanes; ++j) sums[j] += window_[k] * columns[x + k + j];
    }
    return sums;
  }

  void compare(std::int64_t x) {
    constexpr double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.03 * 255 * 0.03 * 255;
    const Lanes a = sum_row(columns_[0], x), b = sum_row(columns_[1], x);
    const Lanes squares = sum_row(columns_[2], x), products = sum_row(columns_[3], x);
    for (std::int64_t j = 0; j < kLanes; ++j) {
      const double mean_squares = a[j] * a[j] + b[j] * b[j], mean_product = a[j] * b[j];
      const double variances = squares[j] - mean_squares, covariance = products[j] - mean_product;
      ssim_[x + j] =
          (2 * mean_product + c1) * (2 * covariance + c2) / ((mean_squares + c1) * (variances + c2));
    }
  }

  PlanePair planes_;
  std::array<double, kWindow> window_;
  std::array<std::vector<double>, 4> columns_;  // of a, b, a^2 + b^2, a b
  std::vector<double> ssim_;
};

double mean_ssim(const PlanePair& planes) {
  const std::int64_t height = planes.height - kWindow + 1, width = planes.width - kWindow + 1;
  if (height < 1 || width < 1) {
    throw Error(fmt::format("SSIM needs {0}x{0} pixels after the crop, not {1}x{2}", kWindow, planes.width,
                            planes.height));
  }
  const double sum = sum_of_bands(height, [&](std::int64_t begin, std::int64_t end) {
    SsimRows rows(planes);
    double band = 0;
    for (std::int64_t y = begin; y < end; ++y) band += rows.row(y);
    return band;
  });
  return sum / static_cast<double>(height * width);
}

// --- PSNR-B --------------------------------------------------------------------------------------

constexpr std::int64_t kBlock = 8;

/// Squared steps between neighbours, across the edges of 8 x 8 blocks and elsewhere.
struct Steps {
  double at_edges = 0, elsewhere = 0;
  void add(double step, std::int64_t position) {
    (position % kBlock == kBlock - 1 ? at_edges : elsewhere) += step * step;
  }
};

Steps squared_steps(const double* image, std::int64_t height, std::int64_t width) {
  Steps steps;
  for (std::int64_t y = 0; y < height; ++y) {
    const double* row = image + y * width;
    for (std::int64_t x = 0; x + 1 < width; ++x) steps.add(row[x] - row[x + 1], x);
    if (y + 1 == height) break;
    for (std::int64_t x = 0; x < width; ++x) steps.add(row[x] - row[x + width], y);
  }
  return steps;
}

/// How much more the image steps at block edges than elsewhere, as an error of values in 0..255.
double blocking_effect(const double* image, std::int64_t height, std::int64_t width) {
  const std::int64_t edges = height * (width / kBlock - 1) + width * (height / kBlock - 1);
  const std::int64_t others = height * (width - 1) + width * (height - 1) - edges;
  if (edges <= 0) throw Error(fmt::format("PSNR-B needs a larger image than {}x{}", width, height));
  const Steps steps = squared_steps(image, height, width);
  const double excess =
      steps.at_edges / static_cast<double>(edges) - steps.elsewhere / static_cast<double>(others);
  return excess > 0 ? excess * std::log2(kBlock) / std::log2(std::min(height, width)) : 0;
}

}  // namespace

double psnr(const Tensor& a, const Tensor& b, const Protocol& protocol) {
  const double mse = mean_of_channels(a, b, protocol, mean_squared_error) / (255.0 * 255.0);
  return decibels(mse + protocol.mse_floor);
}

double ssim(const Tensor& a, const Tensor& b, const Protocol& protocol) {
  return mean_of_channels(a, b, protocol, mean_ssim);
}

double psnr_b(const Tensor& a, const Tensor& b, const Protocol& protocol) {
  return mean_of_channels(a, b, protocol, [](const PlanePair& planes) {
    const double error = mean_squared_error(planes) + blocking_effect(planes.a, planes.height, planes.width);
    return decibels(error / (255.0 * 255.0));
  });
}

}  // namespace sr
