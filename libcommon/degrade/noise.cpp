#include "degrade/noise.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <mutex>

#include "core/simd.h"

namespace sr {
namespace {

/// Whether loops over memory may stand in for LibTorch's operators.
bool is_plain(const Tensor& tensor) {
  return tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat && !tensor.requires_grad();
}

/// Whether they may where `noise`, [N,C,H,W] or grey [N,1,H,W], is added to an image [N,C,H,W].
bool is_plain(const Tensor& image, const Tensor& noise) {
  return is_plain(image) && is_plain(noise) && image.dim() == 4 &&
         (noise.sizes() == image.sizes() || noise.sizes() == image.narrow(1, 0, 1).sizes());
}

struct Range {
  float low = 0, high = 1;
};

Range range_of(Clamp clamp) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  return clamp == Clamp::yes ? Range{} : Range{-infinity, infinity};
}

// --- adding --------------------------------------------------------------------------------------

/// in + factor * noise, within the range.
SR_VECTORISED void add_scaled(const float* in, const float* noise, float factor, Range range, std::int64_t n,
                              float* out) {
  for (std::int64_t i = 0; i < n; ++i) {
    out[i] = std::min(std::max(in[i] + factor * noise[i], range.low), range.high);
  }
}

/// in + scale * (counts * per_count - expected), within the range.
SR_VECTORISED void add_counts(const float* in, const float* counts, const float* expected, float per_count,
                              float scale, Range range, std::int64_t n, float* out) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float noise = counts[i] * per_count - expected[i];
    out[i] = std::min(std::max(in[i] + scale * noise, range.low), range.high);
  }
}

/// Calls part(offset, noise_offset, n) for pieces of an image [N,C,H,W] to which noise [N,C,H,W] or [N,1,H,W]
/// is added.
template <typename Part>
void for_pieces(const Tensor& image, const Tensor& noise, const Part& part) {
  const std::int64_t plane = image.size(2) * image.size(3), shared = image.size(1) / noise.size(1);
  constexpr std::int64_t grain = 1 << 15;
  const std::int64_t pieces = (plane + grain - 1) / grain;
  at::parallel_for(0, image.size(0) * image.size(1) * pieces, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t channel = i / pieces, start = i % pieces * grain;
      part(channel * plane + start, channel / shared * plane + start, std::min(grain, plane - start));
    }
  });
}

// --- the 8-bit grid ------------------------------------------------------------------------------

/// To the 8-bit grid, halves to even; NaN becomes 0. 1.5 * 2^23 rounds, and moves the whole number to the
/// sum's lowest bits, for which even SSE2 needs no function call. `high` is 255: a bound that the compiler
/// knows gets branches of its own, which vectors cannot have.
SR_VECTORISED void quantise(const float* in, std::int64_t n, float high, float* out, std::int32_t* levels) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float sum = std::min(std::max(0.0f, in[i] * 255), high) + 0x1.8p23f;
    out[i] = (sum - 0x1.8p23f) / 255;
    levels[i] = std::bit_cast<std::int32_t>(sum) & 255;
  }
}

using Flags = std::array<bool, 256>;

/// Quantises a piece and marks the levels that occur.
void quantise_and_mark(const float* in, std::int64_t n, float* out, Flags& seen) {
  constexpr std::int64_t chunk = 1024;
  std::array<std::int32_t, chunk> levels;
  for (std::int64_t i = 0; i < n; i += chunk) {
    const std::int64_t count = std::min(chunk, n - i);
    quantise(in + i, count, 255, out + i, levels.data());
    for (std::int64_t j = 0; j < count; ++j) seen[static_cast<std::size_t>(levels[j])] = true;
  }
}

/// `picture` on the 8-bit grid, and its number of distinct values.
std::pair<Tensor, int> quantised_by_loop(const Tensor& picture) {
  const Tensor in = picture.contiguous();
  Tensor out = at::empty_like(in);
  Flags all{};
  std::mutex mutex;
  at::parallel_for(0, in.numel(), 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    Flags seen{};
    quantise_and_mark(in.data_ptr<float>() + begin, end - begin, out.data_ptr<float>() + begin, seen);
    const std::lock_guard lock(mutex);
    std::transform(all.begin(), all.end(), seen.begin(), all.begin(), std::logical_or<>());
  });
  return {out, static_cast<int>(std::count(all.begin(), all.end(), true))};
}

std::pair<Tensor, int> quantised_by_operators(const Tensor& picture) {
  const Tensor levels = picture.mul(255).nan_to_num_(0).round_().clamp_(0, 255);
  Tensor seen = at::zeros({256}, levels.options());
  seen.index_fill_(0, levels.flatten().to(at::kLong), 1);
  return {levels.div(255), static_cast<int>(seen.sum().item<double>())};
}

}  // namespace

Tensor add_gaussian_noise(const Tensor& image, double sigma, const Tensor& normals, Clamp clamp) {
  const double factor = sigma / 255;
  const Range range = range_of(clamp);
  if (!is_plain(image, normals)) {
    return image.add(normals, factor).clamp(range.low, range.high);
  }
  const Tensor in = image.contiguous(), noise = normals.contiguous();
  Tensor out = at::empty_like(in);
  for_pieces(in, noise, [&](std::int64_t offset, std::int64_t noise_offset, std::int64_t n) {
    add_scaled(in.data_ptr<float>() + offset, noise.data_ptr<float>() + noise_offset,
               static_cast<float>(factor), range, n, out.data_ptr<float>() + offset);
  });
  return out;
}

PhotonRates photon_rates(const Tensor& picture) {
  auto [quantised, distinct] =
      is_plain(picture) ? quantised_by_loop(picture) : quantised_by_operators(picture);
  return {std::move(quantised), std::exp2(std::ceil(std::log2(distinct))), distinct};
}

Tensor torchvision_gray(const Tensor& images) {
  const auto channels = images.split(1, 1);
  return channels[0].mul(0.2989).add_(channels[1].mul(0.587)).add_(channels[2].mul(0.114));
}

Tensor add_poisson_noise(const Tensor& image, double scale, const PhotonRates& photons, const Tensor& counts,
                         Clamp clamp) {
  const Range range = range_of(clamp);
  if (!is_plain(image, counts) || !is_plain(photons.quantised) ||
      counts.sizes() != photons.quantised.sizes()) {
    return image.add(counts.div(photons.vals).sub(photons.quantised), scale).clamp(range.low, range.high);
  }
  const Tensor in = image.contiguous(), counted = counts.contiguous(),
               expected = photons.quantised.contiguous();
  Tensor out = at::empty_like(in);
  for_pieces(in, counted, [&](std::int64_t offset, std::int64_t noise_offset, std::int64_t n) {
    add_counts(in.data_ptr<float>() + offset, counted.data_ptr<float>() + noise_offset,
               expected.data_ptr<float>() + noise_offset, static_cast<float>(1 / photons.vals),
               static_cast<float>(scale), range, n, out.data_ptr<float>() + offset);
  });
  return out;
}

Tensor with_gaussian_noise(const Tensor& image, double sigma, bool gray, const RandomStream& stream) {
  const Tensor normals = at::empty({image.size(0), gray ? 1 : image.size(1), image.size(2), image.size(3)});
  stream.fill_normal(normals);
  return add_gaussian_noise(image, sigma, normals.to(image.device()));
}

Tensor with_poisson_noise(const Tensor& image, double scale, bool gray, const RandomStream& stream) {
  const PhotonRates photons = photon_rates(gray ? torchvision_gray(image) : image);
  const Tensor rates = photons.rates().cpu();
  const Tensor counts = at::empty_like(rates);
  stream.fill_poisson(counts, rates);
  return add_poisson_noise(image, scale, photons, counts.to(image.device()));
}

}  // namespace sr
