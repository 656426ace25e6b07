#include "image/colour.h"

#include <doctest.h>

#include "core/error.h"

namespace {

using sr::Tensor;

Tensor pixel(int r, int g, int b) { return torch::tensor({r, g, b}, at::kInt).to(at::kByte).view({3, 1, 1}); }

/// A pixel of every colour in steps of 15.
Tensor colours() {
  const Tensor levels = at::arange(0, 256, 15, at::kLong);
  const auto grid = at::meshgrid({levels, levels, levels}, "ij");
  return at::stack({grid[0].flatten(), grid[1].flatten(), grid[2].flatten()}).unsqueeze(1).to(at::kByte);
}

}  // namespace

TEST_CASE("black, white and the primaries are MATLAB's") {
  CHECK(sr::rgb_to_ycbcr(pixel(0, 0, 0)).equal(pixel(16, 128, 128)));
  CHECK(sr::rgb_to_ycbcr(pixel(255, 255, 255)).equal(pixel(235, 128, 128)));
  CHECK(sr::rgb_to_ycbcr(pixel(255, 0, 0)).equal(pixel(81, 90, 240)));
  CHECK(sr::rgb_to_ycbcr(pixel(0, 255, 0)).equal(pixel(145, 54, 34)));
  CHECK(sr::rgb_to_ycbcr(pixel(0, 0, 255)).equal(pixel(41, 240, 110)));
}

TEST_CASE("there and back") {
  const Tensor rgb = colours().to(at::kDouble).div(255);
  CHECK((sr::ycbcr_to_rgb(sr::rgb_to_ycbcr(rgb)) - rgb).abs().max().item<double>() < 1e-4);
  const Tensor bytes = sr::ycbcr_to_rgb(sr::rgb_to_ycbcr(colours()));
  CHECK((bytes.to(at::kInt) - colours().to(at::kInt)).abs().max().item<int>() <= 2);
}

TEST_CASE("uint8 saturates, floating point does not") {
  const Tensor beyond = pixel(255, 255, 255);
  CHECK(sr::ycbcr_to_rgb(beyond)[0].item<int>() == 255);
  CHECK(sr::ycbcr_to_rgb(beyond.to(at::kFloat).div(255))[0].item<double>() > 1);
}

TEST_CASE("luma is the first channel, of batches too") {
  const Tensor rgb = colours();
  CHECK(sr::luma(rgb).equal(sr::rgb_to_ycbcr(rgb).slice(0, 0, 1)));
  const Tensor batch = at::stack({rgb, rgb.flip(0)}).to(at::kFloat).div(255);
  CHECK(sr::luma(batch)[1].equal(sr::luma(batch[1])));
}

TEST_CASE("luma of 0..255 is not rounded, and grey passes through") {
  CHECK(sr::luma_255(pixel(10, 20, 30)).item<double>() ==
        doctest::Approx(16 + (65.481 * 10 + 128.553 * 20 + 24.966 * 30) / 255));
  const Tensor grey = colours().slice(0, 0, 1);
  CHECK(sr::luma_255(grey).equal(grey.to(at::kFloat)));
}

TEST_CASE("full-range luma keeps white white") {
  CHECK(sr::luma_full_range(at::ones({3, 2, 2})).mean().item<double>() == doctest::Approx(1.0));
}

TEST_CASE("other images are an error") {
  CHECK_THROWS_AS(sr::rgb_to_ycbcr(at::zeros({4, 2, 2})), sr::Error);
  CHECK_THROWS_AS(sr::luma(at::zeros({3, 2, 2}, at::kInt)), sr::Error);
}
