#include "quality/dists.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "core/simd.h"
#include "degrade/pil_resize.h"
#include "nets/feature_maps.h"
#include "nets/fill_module.h"
#include "nets/vgg.h"
#include "quality/image_check.h"

namespace sr {
namespace {

constexpr int64_t kComparedChannels = 3 + 64 + 128 + 256 + 512 + 512;
constexpr double kSmall = 1e-6;  // added to both sides of the quotients

class Weights : public torch::nn::Module {
 public:
  Weights() : torch::nn::Module("DISTS"), alpha(enrol("alpha")), beta(enrol("beta")) {}

  Tensor alpha, beta;

 private:
  Tensor enrol(const std::string& name) {
    return register_parameter(name, torch::zeros({1, kComparedChannels, 1, 1}));
  }
};

Tensor shares_of(const StateDict& weights) {
  Weights own;
  fill_module(own, weights);
  const Tensor both = at::stack({own.alpha.flatten(), own.beta.flatten()}).to(at::kDouble);
  return both / both.sum();
}

FeatureNet loaded(const StateDict& weights) {
  FeatureNet network = vgg16();
  network.load(weights);
  return network;
}

// --- statistics ------------------------------------------------------------------------------------

/// Sums over pixels, for each channel: of a, b, a^2, b^2 and a b.
constexpr int kSums = 5;

/// Adds to sums[kSums][channels].
SR_VECTORISED void add_pixels(const float* __restrict a, const float* __restrict b, std::int64_t channels,
                              std::int64_t pixels, double* __restrict sums) {
  for (std::int64_t i = 0; i < pixels; ++i, a += channels, b += channels) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const double x = a[c], y = b[c];
      sums[c] += x;
      sums[channels + c] += y;
      sums[2 * channels + c] += x * x;
      sums[3 * channels + c] += y * y;
      sums[4 * channels + c] += x * y;
    }
  }
}

/// Means over a map [2,C,h,w] of both images: [kSums,C]. The parts that are summed apart are the same for any
/// number of threads.
Tensor moments(const Tensor& features) {
  constexpr std::int64_t kParts = 64;
  const Tensor map = channels_last(features);
  const std::int64_t channels = map.size(1), count = map.size(2) * map.size(3);
  const Tensor sums = at::zeros({kParts, kSums, channels}, at::kDouble);
  const float* const a = map.data_ptr<float>();
  const float* const b = a + count * channels;
  at::parallel_for(0, kParts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part) {
      const std::int64_t first = count * part / kParts, last = count * (part + 1) / kParts;
      add_pixels(a + first * channels, b + first * channels, channels, last - first,
                 sums.data_ptr<double>() + part * kSums * channels);
    }
  });
  return sums.sum(0).div_(static_cast<double>(count));
}

/// How alike the two images' means are, and their structure: [2,C].
Tensor similarities(const Tensor& features) {
  const auto m = moments(features).unbind(0);
  const Tensor &mean_a = m[0], &mean_b = m[1], product = mean_a * mean_b;
  const Tensor squares = mean_a.square() + mean_b.square();
  const Tensor variances = m[2] + m[3] - squares, covariance = m[4] - product;
  return at::stack(
      {(2 * product + kSmall) / (squares + kSmall), (2 * covariance + kSmall) / (variances + kSmall)});
}

// --- pooling ---------------------------------------------------------------------------------------

/// The squares of three rows, the middle one counting double; rows beyond the border are null.
SR_VECTORISED void add_rows(const float* __restrict above, const float* __restrict row,
                            const float* __restrict below, std::int64_t n, float* __restrict out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = 2 * (row[i] * row[i]);
  if (above) {
    for (std::int64_t i = 0; i < n; ++i) out[i] += above[i] * above[i];
  }
  if (below) {
    for (std::int64_t i = 0; i < n; ++i) out[i] += below[i] * below[i];
  }
}

/// A pixel of the output from three of what add_rows gave; `left` and `right` may lie beyond the border.
SR_VECTORISED void finish_pixel(const float* left, const float* middle, const float* right, std::int64_t n,
                                float* out) {
  for (std::int64_t i = 0; i < n; ++i)
    out[i] = std::sqrt((left[i] + 2 * middle[i] + right[i]) * 0.0625F + 1e-12F);
}

/// Output row `y` of one image [H,W,C]. `sums`: room for W + 2 pixels.
void pool_row(const float* image, std::int64_t height, std::int64_t width, std::int64_t channels,
              std::int64_t y, float* sums, float* out) {
  const std::int64_t stride = width * channels;
  const float* const row = image + 2 * y * stride;
  std::fill_n(sums, channels, 0.F);
  add_rows(y > 0 ? row - stride : nullptr, row, 2 * y + 1 < height ? row + stride : nullptr, stride,
           sums + channels);
  std::fill_n(sums + channels + stride, channels, 0.F);
  for (std::int64_t x = 0; x < (width + 1) / 2; ++x) {
    const float* const left = sums + 2 * x * channels;
    finish_pixel(left, left + channels, left + 2 * channels, channels, out + x * channels);
  }
}

}  // namespace

Tensor l2_pool(const Tensor& map) {
  const Tensor input = channels_last(map);
  const std::int64_t channels = input.size(1), height = input.size(2), width = input.size(3);
  const std::int64_t out_height = (height + 1) / 2, out_stride = (width + 1) / 2 * channels;
  Tensor output = at::empty({input.size(0), channels, out_height, (width + 1) / 2},
                            input.options().memory_format(at::MemoryFormat::ChannelsLast));
  const float* const in = input.data_ptr<float>();
  float* const out = output.data_ptr<float>();
  at::parallel_for(0, input.size(0) * out_height, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> sums(static_cast<size_t>((width + 2) * channels));
    for (std::int64_t row = begin; row < end; ++row) {
      pool_row(in + row / out_height * height * width * channels, height, width, channels, row % out_height,
               sums.data(), out + row * out_stride);
    }
  });
  return output;
}

Tensor dists_resized(const Tensor& image) {
  constexpr int64_t side = 256;
  const int64_t height = image.size(2), width = image.size(3), shorter = std::min(height, width);
  if (shorter <= side) return image;
  const auto scaled = [&](int64_t length) { return side * length / shorter; };
  return pil_bilinear(image, scaled(height), scaled(width));
}

Dists::Dists(const StateDict& vgg16, const StateDict& weights)
    : shares_(shares_of(weights)), network_(loaded(vgg16)) {}

double Dists::operator()(const Tensor& image, const Tensor& reference) const {
  check_pair(image, reference, "DISTS");
  const at::NoGradGuard no_grad;
  const Tensor images = at::cat({image, reference});
  std::vector<Tensor> found{similarities(images)};
  Tensor x = normalised(images, kImagenetNormalisation);
  int done = 0;
  for (const int last : kVgg16Stages) {
    if (done > 0) x = l2_pool(x);
    x = network_.run(x, done, last + 1);
    found.push_back(similarities(x));
    done = last + 2;  // past the pool
  }
  return 1 - (shares_ * at::cat(found, 1)).sum().item<double>();
}

std::string Dists::describe() const {
  return "DISTS (dingkeyan93/DISTS): RGB, the image and five stages of VGG-16, ImageNet mean and deviation, "
         "L2 pooling; no cropping";
}

}  // namespace sr
