#include "image/resize.h"

#include <cmath>
#include <doctest.h>

#include "core/error.h"

namespace {

using sr::Tensor;

Tensor noise(at::IntArrayRef shape, at::ScalarType type = at::kFloat) {
  at::manual_seed(5);
  return at::rand(shape, type);
}

double largest(const Tensor& values) { return values.abs().max().item<double>(); }

}  // namespace

TEST_CASE("output sizes are MATLAB's, ceil in floating point") {
  CHECK(sr::resized_length(50, 1.1) == 56);
  CHECK(sr::resized_length(30, 1.1) == 33);
  CHECK(sr::resized_length(41, 0.7) == 29);
  CHECK(sr::resized_length(47, 1.0 / 3) == 16);
  CHECK(sr::resized_length(15, 4) == 60);
  CHECK(sr::imresize(noise({3, 41, 39}), 0.7).sizes() == at::IntArrayRef{3, 29, 28});
}

TEST_CASE("halving with MATLAB's antialiased cubic has its known weights") {
  const auto axis = sr::resize_axis(100, 50, 0.5, {}, at::kDouble);
  CHECK(axis.first[10] == 17);
  const Tensor expected = torch::tensor(
      {-0.01171875, -0.03515625, 0.11328125, 0.43359375, 0.43359375, 0.11328125, -0.03515625, -0.01171875},
      at::kDouble);
  CHECK(largest(axis.weights[10] - expected) < 1e-12);
}

TEST_CASE("a constant stays constant and scale 1 changes nothing, whatever the kernel") {
  using Kernel = sr::ResizeKernel;
  for (const auto kernel :
       {Kernel::box, Kernel::triangle, Kernel::cubic, Kernel::lanczos2, Kernel::lanczos3}) {
    for (const bool antialias : {true, false}) {
      CAPTURE(static_cast<int>(kernel));
      const sr::ResizeOptions options{kernel, antialias};
      const Tensor flat = at::full({1, 23, 31}, 0.25, at::kDouble);
      CHECK(largest(sr::imresize(flat, 0.37, options) - 0.25) < 1e-12);
      CHECK(largest(sr::imresize(flat, 2.3, options) - 0.25) < 1e-12);
      const Tensor image = noise({2, 19, 21}, at::kDouble);
      CHECK(largest(sr::imresize(image, 1, options) - image) < 1e-12);
    }
  }
}

TEST_CASE("box kernels average and repeat") {
  const Tensor row = torch::tensor({1.0, 3.0, 5.0, 9.0}, at::kDouble).view({1, 1, 4}).repeat({1, 4, 1});
  const sr::ResizeOptions box{sr::ResizeKernel::box, true};
  CHECK(largest(sr::imresize(row, 0.5, box)[0][0] - torch::tensor({2.0, 7.0}, at::kDouble)) < 1e-12);
  const Tensor doubled = sr::imresize(row, 2, box)[0][5];
  CHECK(largest(doubled - torch::tensor({1.0, 1.0, 3.0, 3.0, 5.0, 5.0, 9.0, 9.0}, at::kDouble)) < 1e-12);
}

TEST_CASE("the triangle kernel is bilinear interpolation") {
  const Tensor image = noise({1, 2, 9, 11}, at::kDouble);
  const sr::ResizeOptions triangle{sr::ResizeKernel::triangle, true};
  const Tensor expected = at::upsample_bilinear2d(image, {18, 22}, false);
  CHECK(largest(sr::imresize(image, 2, triangle) - expected) < 1e-12);
}

TEST_CASE("strips are the same as the whole, bit for bit") {
  const Tensor image = noise({3, 83, 45});
  for (const double scale : {0.25, 0.37, 1.0, 1.5, 4.0}) {
    for (const bool antialias : {true, false}) {
      CAPTURE(scale);
      const sr::ResizeOptions options{sr::ResizeKernel::cubic, antialias};
      const Tensor whole = sr::imresize(image, scale, options);
      const auto resizer = sr::Resizer::by_scale(83, 45, scale, options);
      for (std::int64_t y = 0; y < resizer.height(); y += 7) {
        const std::int64_t end = std::min<std::int64_t>(y + 7, resizer.height());
        const auto [first, last] = resizer.input_rows(y, end);
        const Tensor strip = resizer.rows(y, end, image.slice(1, first, last), first);
        CHECK(strip.equal(whole.slice(1, y, end)));
      }
    }
  }
}

TEST_CASE("a strip reads few rows") {
  const auto resizer = sr::Resizer::to_size(9000, 20, 36000, 80);
  const auto [first, last] = resizer.input_rows(16000, 16064);
  CHECK(last - first <= 64 / 4 + 5);
  CHECK(first <= 4000);
  CHECK(last >= 4016);
}

TEST_CASE("the number of threads does not change a value") {
  const Tensor image = noise({2, 3, 70, 90});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Tensor one = sr::imresize(image, 1.7);
  at::set_num_threads(3);
  const Tensor three = sr::imresize(image, 1.7);
  at::set_num_threads(threads);
  CHECK(one.equal(three));
}

TEST_CASE("tiny and strided images") {
  CHECK(sr::imresize(at::full({1, 1, 1}, 0.5), 0.125).item<double>() == doctest::Approx(0.5));
  CHECK(largest(sr::imresize(at::full({3, 1, 2}, 0.5), 8) - 0.5) < 1e-6);
  const Tensor image = noise({1, 20, 30, 3}).permute({0, 3, 1, 2});
  CHECK(sr::imresize(image, 0.5).equal(sr::imresize(image.contiguous(), 0.5)));
}

TEST_CASE("what cannot be resized is an error") {
  const Tensor image = noise({1, 8, 8});
  CHECK_THROWS_AS(sr::imresize(image, 0), sr::Error);
  CHECK_THROWS_AS(sr::imresize(image, std::nan("")), sr::Error);
  CHECK_THROWS_AS(sr::imresize_to(image, 0, 4), sr::Error);
  CHECK_THROWS_AS(sr::imresize(image.to(at::kByte), 2), sr::Error);
  CHECK_THROWS_AS(sr::imresize(at::empty({1, 0, 8}), 2), sr::Error);
  const auto resizer = sr::Resizer::by_scale(8, 8, 2);
  CHECK_THROWS_AS(resizer.rows(0, 4, image.slice(1, 2, 8), 2), sr::Error);
  CHECK_THROWS_AS(resizer.rows(10, 17, image, 0), sr::Error);
}
