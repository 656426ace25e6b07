#include <algorithm>
#include <cmath>
#include <doctest.h>
#include <vector>

#include "core/error.h"
#include "degrade/bsrgan.h"
#include "degrade/isp.h"
#include "degrade/opencv_resize.h"

namespace {

using sr::OpenCvInterpolation;
using sr::Tensor;

constexpr std::array kModes{OpenCvInterpolation::linear, OpenCvInterpolation::cubic,
                            OpenCvInterpolation::area};

Tensor picture(at::IntArrayRef shape) {
  at::manual_seed(3);
  return at::rand(shape);
}

double largest(const Tensor& values) { return values.abs().max().item<double>(); }

/// With one thread and with several.
template <class Make>
bool same_with_threads(const Make& make) {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const Tensor single = make();
  at::set_num_threads(3);
  const Tensor several = make();
  at::set_num_threads(before);
  return single.equal(several);
}

/// Colours that change slowly, none of them saturated.
Tensor smooth_picture(std::int64_t height, std::int64_t width) {
  const Tensor y = at::arange(height).div(60.0).unsqueeze(1), x = at::arange(width).div(60.0).unsqueeze(0);
  const Tensor red = at::sin(2 * x + y), green = at::cos(x - 2 * y), blue = at::sin(x).mul(at::cos(y));
  return at::stack({red, green, blue}).mul(0.2).add(0.5).unsqueeze(0).to(at::kFloat);
}

double psnr(const Tensor& a, const Tensor& b) {
  return -10 * std::log10((a - b).square().mean().item<double>());
}

sr::IspOptions noiseless() {
  sr::IspOptions options;
  options.shot_noise = options.read_noise = 0;
  return options;
}

}  // namespace

TEST_CASE("OpenCV's resizing leaves a constant constant, and the same size unchanged") {
  const Tensor image = picture({1, 3, 7, 11});
  for (const auto mode : kModes) {
    const Tensor same = sr::opencv_resize(image, 7, 11, mode);
    CHECK(same.equal(image));
    CHECK_FALSE(same.is_same(image));
    for (const std::int64_t height : {1, 3, 7, 30}) {
      const Tensor resized = sr::opencv_resize(at::full({1, 3, 7, 11}, 0.75), height, 5, mode);
      CHECK(resized.sizes() == at::IntArrayRef{1, 3, height, 5});
      CHECK(largest(resized - 0.75) < 1e-6);
    }
  }
  CHECK_THROWS_AS(sr::opencv_resize(image, 0, 5, OpenCvInterpolation::area), sr::Error);
}

TEST_CASE("OpenCV's area averages where it can and repeats where it cannot") {
  const Tensor image = picture({1, 3, 12, 20});
  const Tensor averages = at::avg_pool2d(image, {3, 5});
  CHECK(largest(sr::opencv_resize(image, 4, 4, OpenCvInterpolation::area) - averages) < 1e-6);
  const Tensor step = torch::tensor({0.F, 1.F}).view({1, 1, 1, 2});
  const auto row = [&](OpenCvInterpolation mode) { return sr::opencv_resize(step, 1, 4, mode).flatten(); };
  CHECK(row(OpenCvInterpolation::area).equal(torch::tensor({0.F, 0.F, 1.F, 1.F})));
  CHECK(row(OpenCvInterpolation::linear).equal(torch::tensor({0.F, 0.25F, 0.75F, 1.F})));
}

TEST_CASE("OpenCV's resizing by loops and by matrices agree") {
  const Tensor image = picture({2, 3, 19, 13});
  for (const auto mode : kModes) {
    for (const auto& [height, width] :
         {std::pair(7, 40), std::pair(30, 13), std::pair(1, 1), std::pair(8, 5)}) {
      const Tensor leaf = image.clone().requires_grad_();
      const Tensor loops = sr::opencv_resize(image, height, width, mode);
      const Tensor matrices = sr::opencv_resize(leaf, height, width, mode);
      CHECK(largest(loops - matrices.detach()) < 1e-6);
      CHECK(matrices.requires_grad());
      CHECK(loops[1].equal(sr::opencv_resize(image.slice(0, 1), height, width, mode)[0]));
    }
  }
}

TEST_CASE("correlated noise has the covariance that was drawn") {
  const auto covariance =
      sr::channel_covariance({0.2, 0.9, 0.5}, {0.1, 0.7, 0.4, 0.9, 0.3, 0.2, 0.5, 0.6, 0.8});
  const Tensor wanted = torch::tensor(at::ArrayRef<double>(covariance)).view({3, 3});
  CHECK(wanted.equal(wanted.t()));
  CHECK(wanted.ge(0).all().item<bool>());
  CHECK(largest(wanted) < 25 / 255.0 * 25 / 255.0);
  at::manual_seed(1);
  const Tensor normals = at::randn({1, 3, 300, 300});
  const Tensor noise = sr::correlated(normals, covariance);
  const Tensor flat = noise.flatten(2)[0].to(at::kDouble);
  CHECK(largest(flat.matmul(flat.t()) / flat.size(1) - wanted) < 0.02 * largest(wanted));
  CHECK(same_with_threads([&] { return sr::correlated(normals, covariance); }));
}

TEST_CASE("an indefinite covariance counts by the size of its eigenvalues") {
  const sr::ChannelCovariance covariance{1, 2, 0, 2, 1, 0, 0, 0, 4};  // eigenvalues 3, -1, 4
  const Tensor root = sr::correlated(at::eye(3).view({1, 3, 3, 1}), covariance)[0].squeeze(2).to(at::kDouble);
  const Tensor wanted = torch::tensor({2., 1., 0., 1., 2., 0., 0., 0., 4.}).view({3, 3});  // 3, 1, 4
  CHECK(largest(root.matmul(root.t()) - wanted) < 1e-5);
}

TEST_CASE("BSRGAN's noises keep to [0, 1]; speckle follows the clamped picture") {
  const Tensor image = torch::tensor({-0.5F, 0.5F, 1.5F}).view({1, 3, 1, 1});
  const Tensor noise = at::full({1, 1, 1, 1}, -0.2);
  CHECK(largest(sr::add_noise(image, noise).flatten() - torch::tensor({0.F, 0.3F, 1.F})) < 1e-6);
  CHECK(largest(sr::add_speckle_noise(image, noise).flatten() - torch::tensor({0.F, 0.4F, 0.8F})) < 1e-6);
  CHECK(image.flatten().equal(torch::tensor({-0.5F, 0.5F, 1.5F})));
}

TEST_CASE("BSRGAN's Poisson noise of exactly expected counts is the quantised picture") {
  const Tensor image = picture({1, 3, 9, 8}), quantised = sr::bsrgan_quantised(image);
  CHECK(largest(quantised * 255 - (image * 255).round()) < 1e-4);
  CHECK(largest(sr::add_bsrgan_poisson(image, 500, quantised * 500) - quantised) < 1e-6);
  const Tensor gray = sr::bsrgan_gray_quantised(image);
  CHECK(gray.sizes() == at::IntArrayRef{1, 1, 9, 8});
  CHECK(largest(sr::add_bsrgan_poisson(image, 500, gray * 500) - quantised) < 1e-6);
  // One photon more a pixel is 1 / 500 more in every channel.
  const Tensor brighter =
      sr::add_bsrgan_poisson(image * 0.5, 500, sr::bsrgan_gray_quantised(image * 0.5) * 500 + 1);
  CHECK(largest(brighter - sr::bsrgan_quantised(image * 0.5) - 1 / 500.0) < 1e-6);
}

TEST_CASE("decimation begins at the top left") {
  const Tensor image = at::arange(35).view({1, 1, 5, 7});
  CHECK(sr::decimated(image, 3).flatten().equal(torch::tensor({0, 3, 6, 21, 24, 27}, at::kLong)));
  CHECK(sr::decimated(image, 1).equal(image));
  CHECK_THROWS_AS(sr::decimated(image, 0), sr::Error);
}

TEST_CASE("a camera without noise leaves a smooth picture as it is") {
  sr::IspOptions options = noiseless();
  for (const auto& [height, width] : {std::pair(64, 96), std::pair(37, 51), std::pair(2, 3)}) {
    const Tensor image = smooth_picture(height, width), normals = at::ones({1, 1, height, width});
    for (const std::size_t camera : {0, 1, 2, 3}) {
      options.camera_weights = {0.1, 0.1, 0.1, 0.1};
      options.camera_weights[camera] = 1;
      options.exposure = camera < 2 ? 0.9 : 1.2;
      CHECK(psnr(sr::isp_noise(image, options, normals), image) > 40);
    }
  }
}

TEST_CASE("a camera leaves grey without colour, up to white") {
  for (const double level : {0.0, 0.02, 0.5, 0.9, 0.97, 1.0}) {
    const Tensor image = at::full({1, 3, 6, 6}, level), normals = at::zeros({1, 1, 6, 6});
    CHECK(largest(sr::isp_noise(image, noiseless(), normals) - level) < 2e-3);
  }
}

TEST_CASE("camera noise is the sensor's, whatever the number of threads") {
  at::manual_seed(2);
  const Tensor image = at::full({1, 3, 80, 90}, 0.4), normals = at::randn({1, 1, 80, 90});
  const auto deviation = [&](double shot, double read) {
    sr::IspOptions options;
    options.shot_noise = shot;
    options.read_noise = read;
    return (sr::isp_noise(image, options, normals) - image).std().item<double>();
  };
  CHECK(deviation(0, 1e-6) == doctest::Approx(2 * deviation(0, 2.5e-7)).epsilon(0.02));
  CHECK(deviation(1e-4, 0) == doctest::Approx(2 * deviation(2.5e-5, 0)).epsilon(0.02));
  CHECK(deviation(1e-4, 0) > 1e-3);
  CHECK(same_with_threads([&] { return sr::isp_noise(image, {}, normals); }));
}

TEST_CASE("cameras that cannot be are refused") {
  const Tensor image = picture({1, 3, 4, 4}), normals = at::zeros({1, 1, 4, 4});
  const auto refused = [&](auto change) {
    sr::IspOptions options;
    change(options);
    CHECK_THROWS_AS(sr::isp_noise(image, options, normals), sr::Error);
  };
  refused([](auto& options) { options.exposure = 0; });
  refused([](auto& options) { options.red_gain = -1; });
  refused([](auto& options) { options.read_noise = -1; });
  refused([](auto& options) { options.camera_weights = {0, 0, 0, 0}; });
  refused([](auto& options) { options.camera_weights[1] = std::nan(""); });
  CHECK_THROWS_AS(sr::isp_noise(image.slice(2, 0, 1), {}, normals), sr::Error);
}
