#include <doctest.h>
#include <torch/version.h>
#include <vector>

#include "core/error.h"
#include "degrade/filter.h"
#include "degrade/interpolate.h"
#include "degrade/kernels.h"
#include "degrade/usm.h"

namespace {

using sr::Border;
using sr::Interpolation;
using sr::Tensor;

Tensor noise(at::IntArrayRef shape) {
  at::manual_seed(7);
  return at::rand(shape);
}

double largest(const Tensor& values) { return values.abs().max().item<double>(); }

/// In float64 everything is ATen's.
double error_of(const Tensor& actual, const Tensor& expected) {
  REQUIRE(actual.sizes() == expected.sizes());
  return largest(actual.to(at::kDouble) - expected);
}

Tensor filtered_by_aten(const Tensor& images, const Tensor& kernels, Border border) {
  return sr::filter2d(images.to(at::kDouble), kernels.to(at::kDouble), border);
}

Tensor pulse(std::int64_t size, std::int64_t y, std::int64_t x) {
  Tensor kernel = at::zeros({size, size});
  kernel[y][x] = 1;
  return kernel;
}

/// Of every way to be applied: direct, trimmed, off the centre, separable, of sum 0. Magnitudes sum to 1.
std::vector<Tensor> kernels(int size) {
  const Tensor any = noise({size, size}) - 0.3, line = noise({size}) - 0.5;
  Tensor corner = at::zeros({size, size});
  corner.slice(0, 0, size / 2).slice(1, 0, 2).fill_(1)[0][0] = 3;
  std::vector<Tensor> all{any,
                          sr::padded_kernel(sr::sinc_kernel(3, 2), size),
                          corner,
                          pulse(size, 0, size - 1),
                          sr::gaussian_kernel({size, 1.2, 1.2}),
                          at::outer(line, any[0]),
                          at::outer(line - line.mean(), line - line.mean())};
  for (Tensor& kernel : all) kernel = (kernel / kernel.abs().sum()).to(at::kFloat);
  return all;
}

class Threads {
 public:
  explicit Threads(int count) { at::set_num_threads(count); }
  ~Threads() { at::set_num_threads(before_); }

 private:
  int before_ = at::get_num_threads();
};

}  // namespace

TEST_CASE("the loops of filter2d give what ATen gives, whatever the size, the kernel and the border") {
  for (const int size : {3, 5, 13}) {
    for (const auto& shape : {std::pair{7, 7}, {8, 9}, {13, 31}, {6 * 20, 70}, {33, 200}}) {
      const Tensor images = noise({2, 3, shape.first, shape.second});
      for (const Border border : {Border::reflect, Border::replicate, Border::wrap}) {
        for (const Tensor& kernel : kernels(size)) {
          CAPTURE(size);
          CAPTURE(images.sizes());
          const Tensor expected = filtered_by_aten(images, kernel, border);
          CHECK(error_of(sr::filter2d(images, kernel, border), expected) < 1e-6);
        }
      }
    }
  }
}

TEST_CASE("each sample has its own kernel") {
  const Tensor images = noise({7, 3, 40, 50});
  const Tensor stack = at::stack(kernels(13));
  const Tensor all = sr::filter2d(images, stack);
  CHECK(error_of(all, filtered_by_aten(images, stack, Border::reflect)) < 1e-6);
  for (std::int64_t n = 0; n < images.size(0); ++n) {
    CHECK(all.slice(0, n, n + 1).equal(sr::filter2d(images.slice(0, n, n + 1), stack[n])));
  }
}

TEST_CASE("the number of threads changes no bit") {
  const Tensor images = noise({2, 3, 301, 77});
  std::vector<Tensor> results[2];
  for (const int threads : {1, 3}) {
    const Threads guard(threads);
    std::vector<Tensor>& to = results[threads / 2];
    for (const Tensor& kernel : kernels(13)) to.push_back(sr::filter2d(images, kernel));
    to.push_back(sr::usm_sharp(images));
    to.push_back(sr::interpolate_by(images, 0.41, Interpolation::bicubic));
    to.push_back(sr::interpolate_by(images, 0.41, Interpolation::area));
  }
  for (std::size_t i = 0; i < results[0].size(); ++i) CHECK(results[0][i].equal(results[1][i]));
}

TEST_CASE("a pulse costs nothing, also in the midst of zeros") {
  const Tensor images = noise({2, 3, 20, 20});
  CHECK(sr::filter2d(images, pulse(21, 10, 10).slice(0, 1, 20).slice(1, 1, 20)).is_same(images));
  CHECK(sr::filter2d(images, at::stack({pulse(7, 3, 3), pulse(7, 3, 3)})).is_same(images));
}

TEST_CASE("filters take transposed pictures and let gradients through") {
  const Tensor images = noise({1, 3, 30, 40}), kernel = kernels(5)[0];
  const Tensor turned = images.transpose(2, 3);
  CHECK(sr::filter2d(turned, kernel.t()).equal(sr::filter2d(turned.contiguous(), kernel.t())));
  const Tensor leaf = images.detach().clone().requires_grad_();
  sr::filter2d(leaf, kernel).sum().backward();
  sr::usm_sharp(noise({1, 3, 30, 40}).requires_grad_()).sum().backward();
  CHECK(leaf.grad().defined());
}

TEST_CASE("pictures that are too small for a filter are told with their size") {
  const Tensor small = noise({1, 3, 10, 64});
  CHECK_THROWS_WITH_AS(sr::filter2d(small, pulse(21, 10, 10)),
                       "a picture of 64x10 pixels is too small for a filter of 21x21", sr::Error);
  CHECK_NOTHROW(sr::filter2d(noise({1, 3, 11, 64}), pulse(21, 10, 10)));
  CHECK_THROWS_WITH_AS(sr::usm_sharp(noise({1, 3, 64, 25})),
                       "a picture of 25x64 pixels is too small to be sharpened with a radius of 50",
                       sr::Error);
  CHECK_NOTHROW(sr::usm_sharp(noise({1, 3, 26, 26})));
  CHECK_THROWS_AS(sr::filter2d(small, at::ones({4, 4})), sr::Error);
  CHECK_THROWS_AS(sr::filter2d(small, at::ones({2, 3, 3})), sr::Error);
}

TEST_CASE("sharpening is the same by loops and by ATen") {
  const Tensor images = noise({2, 3, 61, 83});
  const sr::UsmOptions options{.radius = 11, .weight = 0.7, .threshold = 60};
  CHECK(error_of(sr::usm_sharp(images, options), sr::usm_sharp(images.to(at::kDouble), options)) < 1e-5);
  CHECK(sr::usm_sharp(images, {.radius = 0}).equal(images));
}

TEST_CASE("interpolation is ATen's in its rounding of sizes and places, down to one pixel") {
  // the official numbers are LibTorch 1's; from 2 on places are reckoned in float32 altogether
  constexpr double tolerance = TORCH_VERSION_MAJOR >= 2 ? 1e-4 : 2e-6;
  for (const auto& [height, width] : {std::pair{1, 1}, {2, 3}, {37, 53}, {400, 600}}) {
    const Tensor images = noise({1, 2, height, width}), leaf = images.clone().requires_grad_();
    for (const Interpolation mode : {Interpolation::area, Interpolation::bilinear, Interpolation::bicubic}) {
      for (const double factor : {0.15, 0.5, 0.731, 1.0, 1.0001, 1.4837, 3.0}) {
        if (height * factor < 1) continue;
        CAPTURE(images.sizes());
        CAPTURE(factor);
        const Tensor by = sr::interpolate_by(images, factor, mode);
        CHECK(largest(by - sr::interpolate_by(leaf, factor, mode)) < tolerance);
        const std::int64_t y = by.size(2) + 1, x = by.size(3) + 2;
        CHECK(largest(sr::interpolate_to(images, y, x, mode) - sr::interpolate_to(leaf, y, x, mode)) <
              tolerance);
      }
      CHECK(sr::interpolate_to(images, height, width, mode).is_same(images));
      CHECK(sr::interpolate_by(images, 1, mode).is_same(images));
    }
  }
  CHECK_THROWS_AS(sr::interpolate_by(noise({1, 1, 3, 30}), 0.3, Interpolation::area), sr::Error);
  CHECK_THROWS_AS(sr::interpolate_by(noise({1, 1, 3, 30}), -1, Interpolation::area), sr::Error);
}

TEST_CASE("kernels refuse what no kernel can be made of") {
  CHECK_THROWS_AS(sr::gaussian_kernel({4, 1, 1}), sr::Error);
  CHECK_THROWS_AS(sr::gaussian_kernel({5, 0, 1}), sr::Error);
  CHECK_THROWS_AS(sr::plateau_kernel({5, 1, 1}, 0), sr::Error);
  CHECK_THROWS_AS(sr::sinc_kernel(5, 3.2), sr::Error);
  CHECK_THROWS_AS(sr::padded_kernel(at::ones({5, 5}), 8), sr::Error);
  CHECK_THROWS_AS(sr::noisy_kernel(at::ones({5, 5}), at::zeros({5, 5})), sr::Error);
  CHECK_THROWS_AS(sr::opencv_gaussian(8, 0), sr::Error);
}

TEST_CASE("kernels at their limits") {
  CHECK(largest(sr::gaussian_kernel({5, 1e-160, 1e-160, 1}) - pulse(5, 2, 2)) == 0);
  CHECK(largest(sr::sinc_kernel(7, 1e-9) - 1.0 / 49) < 1e-15);
  CHECK(sr::shifted_kernel(sr::gaussian_kernel({5, 1, 1}), 1).equal(sr::gaussian_kernel({5, 1, 1})));
  const Tensor nine = torch::tensor({4, 13, 30, 51, 60, 51, 30, 13, 4}).to(at::kDouble) / 256;
  CHECK(sr::opencv_gaussian(9, 0).equal(nine));
}
