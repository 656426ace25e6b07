#include "quality/psnr_ssim.h"

#include <cmath>
#include <doctest.h>
#include <limits>

#include "core/error.h"
#include "image/colour.h"

namespace {

using sr::Protocol;
using sr::Tensor;

Tensor noise(at::IntArrayRef shape, int seed) {
  at::manual_seed(seed);
  return at::randint(0, 256, shape, at::kByte);
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// SSIM by its definition, with the window as a whole.
double ssim_by_definition(const Tensor& a, const Tensor& b) {
  const Tensor x = (at::arange(11, at::kDouble) - 5) / 1.5, g = (-x * x / 2).exp() / (-x * x / 2).exp().sum();
  const Tensor window = at::outer(g, g).view({1, 1, 11, 11});
  const auto mean = [&](const Tensor& t) { return at::conv2d(t, window); };
  const Tensor p = a.to(at::kDouble).unsqueeze(1), q = b.to(at::kDouble).unsqueeze(1);
  const Tensor mp = mean(p), mq = mean(q);
  const Tensor vp = mean(p * p) - mp * mp, vq = mean(q * q) - mq * mq, vpq = mean(p * q) - mp * mq;
  const double c1 = 6.5025, c2 = 58.5225;
  return (((2 * mp * mq + c1) * (2 * vpq + c2)) / ((mp * mp + mq * mq + c1) * (vp + vq + c2)))
      .mean()
      .item<double>();
}

}  // namespace

TEST_CASE("equal images") {
  const Tensor image = noise({3, 40, 33}, 1);
  CHECK(sr::psnr(image, image) == kInfinity);
  CHECK(sr::psnr(image, image, {.luma = true, .crop_border = 4}) == kInfinity);
  CHECK(sr::psnr(image, image, {.mse_floor = 1e-8}) == doctest::Approx(80));
  CHECK(sr::ssim(image, image) == doctest::Approx(1));
}

TEST_CASE("a difference of one everywhere is 48.13 dB") {
  const Tensor a = at::full({3, 16, 16}, 100, at::kByte), b = at::full({3, 16, 16}, 101, at::kByte);
  CHECK(sr::psnr(a, b) == doctest::Approx(20 * std::log10(255.0)));
  CHECK(sr::psnr(a.to(at::kFloat), b.to(at::kDouble)) == sr::psnr(a, b));
}

TEST_CASE("the crop leaves out the border, before the conversion") {
  const Tensor a = noise({3, 30, 40}, 2);
  Tensor b = a.clone();
  b.slice(1, 0, 4).fill_(0);
  b.slice(2, 36, 40).fill_(0);
  CHECK(sr::psnr(a, b, {.crop_border = 4}) == kInfinity);
  CHECK(std::isfinite(sr::psnr(a, b, {.crop_border = 3})));
}

TEST_CASE("luma compares Y, and a grey image passes unscaled") {
  const Tensor a = noise({3, 20, 20}, 3), b = noise({3, 20, 20}, 4);
  CHECK(sr::psnr(a, b, {.luma = true}) == doctest::Approx(sr::psnr(sr::luma_255(a), sr::luma_255(b))));
  const Tensor grey = a.slice(0, 0, 1), other = b.slice(0, 0, 1);
  CHECK(sr::psnr(grey, other, {.luma = true}) == sr::psnr(grey, other));
}

TEST_CASE("SSIM is its definition, at every width") {
  for (std::int64_t width = 11; width < 20; ++width) {
    CAPTURE(width);
    const Tensor a = noise({3, 50, width}, 5),
                 b = noise({3, 50, width}, 6).div(2, "floor") + a.div(2, "floor");
    CHECK(sr::ssim(a, b) == doctest::Approx(ssim_by_definition(a, b)).epsilon(1e-10));
  }
}

TEST_CASE("the number of threads does not change a digit") {
  const Tensor a = noise({3, 200, 64}, 7), b = noise({3, 200, 64}, 8);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const double psnr = sr::psnr(a, b), ssim = sr::ssim(a, b);
  at::set_num_threads(3);
  CHECK(sr::psnr(a, b) == psnr);
  CHECK(sr::ssim(a, b) == ssim);
  at::set_num_threads(threads);
}

TEST_CASE("PSNR-B punishes blocks in the first image only") {
  const Tensor smooth = at::arange(64, at::kFloat).mul(2).view({1, 1, 64}).repeat({1, 64, 1});
  const Tensor blocky = smooth.div(16, "floor").mul(16).add(7);
  CHECK(sr::psnr_b(blocky, smooth) < sr::psnr(blocky, smooth) - 0.5);
  CHECK(sr::psnr_b(smooth, blocky) == doctest::Approx(sr::psnr(smooth, blocky)));
}

TEST_CASE("what cannot be compared is an error") {
  const Tensor image = noise({3, 20, 20}, 9);
  CHECK_THROWS_AS(sr::psnr(image, noise({3, 20, 21}, 9)), sr::Error);
  CHECK_THROWS_AS(sr::psnr(image, noise({1, 20, 20}, 9)), sr::Error);
  CHECK_THROWS_AS(sr::psnr(image, image, {.crop_border = 10}), sr::Error);
  CHECK_THROWS_AS(sr::psnr(image, image, {.crop_border = -1}), sr::Error);
  CHECK_THROWS_AS(sr::ssim(image, image, {.crop_border = 5}), sr::Error);
  CHECK_THROWS_AS(sr::psnr_b(image, image, {.crop_border = 4}), sr::Error);
}
