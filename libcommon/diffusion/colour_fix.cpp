#include "diffusion/colour_fix.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"

namespace sr {
namespace {

constexpr int kWaveletLevels = 5;
constexpr double kEpsilon = 1e-5;  // of the variances

struct Moments {
  Tensor mean, deviation;
};

Moments moments(const Tensor& channel) {
  return {channel.mean(), channel.var(/*unbiased=*/true).add(kEpsilon).sqrt()};
}

Tensor adain(const Tensor& channel, const Tensor& reference) {
  const Moments own = moments(channel), wanted = moments(reference);
  return ((channel - own.mean) / own.deviation).mul_(wanted.deviation).add_(wanted.mean);
}

/// Weights 1/4, 1/2, 1/4 at -radius, 0, radius along `dim`; edges are repeated.
Tensor blurred_along(const Tensor& channel, int64_t dim, int64_t radius) {
  const int64_t length = channel.size(dim), beyond = std::min(radius, length), within = length - beyond;
  Tensor blurred = channel * 0.5;
  blurred.narrow(dim, beyond, within).add_(channel.narrow(dim, 0, within), 0.25);
  blurred.narrow(dim, 0, within).add_(channel.narrow(dim, beyond, within), 0.25);
  blurred.narrow(dim, 0, beyond).add_(channel.narrow(dim, 0, 1), 0.25);
  blurred.narrow(dim, within, beyond).add_(channel.narrow(dim, length - 1, 1), 0.25);
  return blurred;
}

/// What is left after all levels: blurs of radius 1, 2, 4, 8, 16.
Tensor low_frequencies(const Tensor& channel) {
  Tensor low = channel;
  for (int level = 0; level < kWaveletLevels; ++level) {
    low = blurred_along(low, 0, int64_t{1} << level);
    low = blurred_along(low, 1, int64_t{1} << level);
  }
  return low;
}

}  // namespace

ColourFix colour_fix(std::string_view name) {
  if (name == "adain") return ColourFix::adain;
  if (name == "wavelet") return ColourFix::wavelet;
  if (name == "none") return ColourFix::none;
  throw UsageError(fmt::format("'{}' is no colour fix (adain, wavelet, none)", name));
}

Tensor fixed_channel(const Tensor& channel, const Tensor& reference, ColourFix fix) {
  switch (fix) {
    case ColourFix::adain: return adain(channel, reference);
    // The detail of all levels together is what the last level's blur has lost.
    case ColourFix::wavelet: return (channel - low_frequencies(channel)).add_(low_frequencies(reference));
    case ColourFix::none: break;
  }
  return channel;
}

Tensor colour_fixed(const Tensor& picture, const Tensor& reference, ColourFix fix) {
  if (picture.sizes() != reference.sizes())
    throw Error(fmt::format("a picture of {}x{} can't have the colours of one of {}x{}", picture.size(3),
                            picture.size(2), reference.size(3), reference.size(2)));
  if (fix == ColourFix::none) return picture;
  Tensor fixed = at::empty_like(picture);
  for (int64_t c = 0; c < picture.size(1); ++c) {
    const Tensor channel = fixed_channel(picture[0][c], reference[0][c], fix);
    fixed[0][c].copy_(channel).clamp_(0, 1).mul_(255).floor_().div_(255);
  }
  return fixed;
}

}  // namespace sr
