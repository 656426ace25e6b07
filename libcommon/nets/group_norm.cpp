#include "nets/group_norm.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/simd.h"

namespace sr {
namespace {

/// One image, its pixels one after the other, the channels of each together.
struct Image {
  float* values;
  int64_t pixels, channels;
};

/// sums[c] = sum of the values over the pixels.
SR_VECTORISED void add_up(const Image& image, float* sums) {
  std::fill_n(sums, image.channels, 0.0f);
  for (const float* pixel = image.values; pixel != image.values + image.pixels * image.channels;
       pixel += image.channels) {
    for (int64_t c = 0; c < image.channels; ++c) sums[c] += pixel[c];
  }
}

/// sums[c] = sum of (value - centre[c])^2 over the pixels.
SR_VECTORISED void add_up_squares(const Image& image, const float* centre, float* sums) {
  std::fill_n(sums, image.channels, 0.0f);
  for (const float* pixel = image.values; pixel != image.values + image.pixels * image.channels;
       pixel += image.channels) {
    for (int64_t c = 0; c < image.channels; ++c) {
      const float distance = pixel[c] - centre[c];
      sums[c] += distance * distance;
    }
  }
}

SR_VECTORISED void apply(const Image& image, const float* factor, const float* offset, float least) {
  for (float* pixel = image.values; pixel != image.values + image.pixels * image.channels;
       pixel += image.channels) {
    for (int64_t c = 0; c < image.channels; ++c) {
      const float value = pixel[c] * factor[c] + offset[c];
      pixel[c] = value < least ? least : value;
    }
  }
}

/// Replaces each channel's value by the mean over its group; every channel has equally many pixels.
void share_in_groups(std::vector<float>& values, int64_t groups, double divisor) {
  const size_t size = values.size() / static_cast<size_t>(groups);
  for (size_t begin = 0; begin < values.size(); begin += size) {
    double sum = 0;
    for (size_t c = begin; c < begin + size; ++c) sum += static_cast<double>(values[c]);
    std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(begin), size,
                static_cast<float>(sum / (divisor * static_cast<double>(size))));
  }
}

/// In two passes: mean and mean square would cancel each other in flat images.
void normalise_image(const Image& image, int64_t groups, double epsilon, const float* weight,
                     const float* bias, float least) {
  const auto channels = static_cast<size_t>(image.channels);
  std::vector<float> mean(channels), factor(channels), offset(channels);
  add_up(image, mean.data());
  share_in_groups(mean, groups, static_cast<double>(image.pixels));
  add_up_squares(image, mean.data(), factor.data());
  share_in_groups(factor, groups, static_cast<double>(image.pixels));
  for (size_t c = 0; c < channels; ++c) {
    factor[c] = static_cast<float>(weight[c] / std::sqrt(static_cast<double>(factor[c]) + epsilon));
    offset[c] = bias[c] - mean[c] * factor[c];
  }
  apply(image, factor.data(), offset.data(), least);
}

bool loop_fits(const Tensor& map, const Tensor& weight) {
  const bool learns = at::GradMode::is_enabled() && (map.requires_grad() || weight.requires_grad());
  return map.is_cpu() && map.scalar_type() == at::kFloat && map.dim() == 4 && map.numel() > 0 &&
         map.is_contiguous(at::MemoryFormat::ChannelsLast) && weight.scalar_type() == at::kFloat && !learns;
}

}  // namespace

GroupNorm::GroupNorm(int64_t groups, int64_t channels, double epsilon)
    : weight(register_parameter("weight", torch::ones({channels}))),
      bias(register_parameter("bias", torch::zeros({channels}))),
      groups_(groups),
      epsilon_(epsilon) {}

Tensor GroupNorm::normalise(Tensor fresh, bool relu) const {
  if (!loop_fits(fresh, weight)) {
    const Tensor x = at::group_norm(fresh, groups_, weight, bias, epsilon_);
    return relu ? at::relu(x) : x;
  }
  const int64_t pixels = fresh.size(2) * fresh.size(3), channels = fresh.size(1);
  const float least = relu ? 0 : -std::numeric_limits<float>::infinity();
  float* values = fresh.data_ptr<float>();
  const float *weights = weight.data_ptr<float>(), *biases = bias.data_ptr<float>();
  at::parallel_for(0, fresh.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      normalise_image({values + n * pixels * channels, pixels, channels}, groups_, epsilon_, weights, biases,
                      least);
    }
  });
  return fresh;
}

Tensor GroupNorm::silu(const Tensor& map, at::ScalarType type) const {
  return at::silu(normed(map, weight.scalar_type())).to(type);
}

Tensor GroupNorm::normed(const Tensor& map, at::ScalarType type) const {
  return at::group_norm(map.to(weight.scalar_type()), groups_, weight, bias, epsilon_).to(type);
}

GroupStatistics GroupNorm::statistics(const Tensor& map) const {
  const Tensor groups = map.to(weight.scalar_type()).unflatten(1, {groups_, map.size(1) / groups_});
  const auto [variance, mean] = at::var_mean(groups, at::IntArrayRef{2, 3, 4}, /*unbiased=*/false);
  return {.mean = mean, .variance = variance};
}

Tensor GroupNorm::normed_by(const GroupStatistics& given, const Tensor& map) const {
  const int64_t size = map.size(1) / groups_;
  const Tensor scale = (given.variance + epsilon_).rsqrt();
  const Tensor factor = scale.repeat_interleave(size, 1) * weight;
  const Tensor offset = bias - given.mean.repeat_interleave(size, 1) * factor;
  const auto of_channels = [](const Tensor& values) { return values.unsqueeze(-1).unsqueeze(-1); };
  return at::addcmul(of_channels(offset), map.to(weight.scalar_type()), of_channels(factor));
}

}  // namespace sr
