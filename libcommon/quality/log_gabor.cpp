#include "quality/log_gabor.h"

#include <cmath>
#include <numbers>
#include <vector>

#include "core/error.h"
#include "core/simd.h"

namespace sr {
namespace {

/// [size, size] of value(x, y), the frequencies x and y in [-1/2, 1/2) beginning with 0. In plain loops, as
/// ATen's functions round the last of a thread's values another way.
template <typename Value>
Tensor over_frequencies(std::int64_t size, const Value& value) {
  Tensor result = at::empty({size, size}, at::kFloat);
  auto* out = result.data_ptr<float>();
  const auto frequency = [size](std::int64_t i) {
    return static_cast<float>(i < size / 2 ? i : i - size) / static_cast<float>(size);
  };
  at::parallel_for(0, size, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t y = begin; y < end; ++y) {
      for (std::int64_t x = 0; x < size; ++x) out[y * size + x] = value(frequency(x), frequency(y));
    }
  });
  return result;
}

Tensor radial_part(std::int64_t size, double wavelength, double bandwidth) {
  const double width = std::log(bandwidth);
  const auto divisor = static_cast<float>(2 * width * width), centre = static_cast<float>(1 / wavelength);
  return over_frequencies(size, [=](float x, float y) {
    if (x == 0 && y == 0) return 0.0F;
    const float octaves = std::log(std::sqrt(x * x + y * y) / centre);
    return std::exp(-octaves * octaves / divisor);
  });
}

Tensor angular_part(std::int64_t size, double angle, double deviation) {
  const auto divisor = static_cast<float>(2 * deviation * deviation);
  const auto c = static_cast<float>(std::cos(angle)), s = static_cast<float>(std::sin(angle));
  return over_frequencies(size, [=](float x, float y) {
    const float theta = std::atan2(-y, x), sine = std::sin(theta), cosine = std::cos(theta);
    const float distance = std::atan2(sine * c - cosine * s, cosine * c + sine * s);
    return std::exp(-distance * distance / divisor);
  });
}

SR_VECTORISED void filter(const c10::complex<double>* spectrum, const float* angular, const float* radial,
                          std::int64_t n, c10::complex<double>* filtered) {
  for (std::int64_t i = 0; i < n; ++i) {
    const double gain = angular[i] * radial[i];
    filtered[i] = {gain * spectrum[i].real(), gain * spectrum[i].imag()};
  }
}

}  // namespace

LogGaborBank::LogGaborBank(std::int64_t size, const LogGaborOptions& options) {
  if (size < 2 || size % 2 != 0) throw Error("log-Gabor filters need planes of an even size");
  std::vector<Tensor> radial, angular;
  for (std::int64_t scale = 0; scale < options.scales; ++scale) {
    const double wavelength = options.least_wavelength * std::pow(options.factor, scale);
    radial.push_back(radial_part(size, wavelength, options.bandwidth));
  }
  const double interval = std::numbers::pi / static_cast<double>(options.orientations);
  for (std::int64_t orientation = 0; orientation < options.orientations; ++orientation) {
    const double angle = static_cast<double>(orientation) * interval;
    angular.push_back(angular_part(size, angle, interval / options.spread));
  }
  radial_ = at::stack(radial);
  angular_ = at::stack(angular);
}

Tensor LogGaborBank::response(const Tensor& spectrum, std::int64_t index) const {
  const std::int64_t orientations = angular_.size(0);
  Tensor filtered = at::empty_like(spectrum);
  filter(spectrum.data_ptr<c10::complex<double>>(), angular_[index % orientations].data_ptr<float>(),
         radial_[index / orientations].data_ptr<float>(), spectrum.numel(),
         filtered.data_ptr<c10::complex<double>>());
  return at::view_as_real(at::fft_ifft2(filtered)).permute({2, 0, 1}).contiguous();
}

}  // namespace sr
