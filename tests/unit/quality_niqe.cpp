#include <cmath>
#include <doctest.h>
#include <numbers>

#include "core/error.h"
#include "image/resize.h"
#include "quality/asymmetric_gaussian.h"
#include "quality/gaussian_derivative.h"
#include "quality/ilniqe.h"
#include "quality/log_gabor.h"
#include "quality/natural_scene.h"
#include "quality/niqe.h"
#include "quality/reference_resize.h"
#include "quality/weibull.h"

namespace {

using sr::Niqe;
using sr::NiqeVariant;
using sr::StateDict;
using sr::Tensor;

/// Noise over waves, of 8 bits: [1,3,height,width] in [0,1].
Tensor picture(std::int64_t height, std::int64_t width, int seed) {
  at::manual_seed(seed);
  const Tensor y = at::arange(height, at::kFloat).view({-1, 1}), x = at::arange(width, at::kFloat);
  const Tensor waves = 0.5 + 0.3 * at::sin(x / 9 + y / 17);
  const Tensor image = waves + 0.08 * at::randn({1, 3, height, width}) + 0.05 * at::rand({1, 3, 1, 1});
  return image.clamp(0, 1).mul(255).round().div(255);
}

Tensor blurred(const Tensor& image) {
  return at::avg_pool2d(image, {5, 5}, {1, 1}, {2, 2}).mul(255).round().div(255);
}

StateDict fitted() {
  std::vector<Tensor> features;
  for (int seed = 0; seed < 4; ++seed)
    features.push_back(sr::pristine_features(picture(384, 384, seed), {}, 0));
  return sr::fit_niqe(features);
}

/// An IL-NIQE model of the right shapes.
StateDict il_model() {
  at::manual_seed(5);
  const Tensor basis = std::get<0>(at::linalg_qr(at::randn({468, 430}, at::kDouble)));
  return {{"mu_pris_param", at::zeros({430}, at::kDouble)},
          {"cov_pris_param", at::eye(430, at::kDouble)},
          {"principle_vectors", basis},
          {"mean_of_sample_data", at::ones({468}, at::kDouble)}};
}

template <typename Work>
Tensor on_threads(int threads, const Work& work) {
  const int before = at::get_num_threads();
  at::set_num_threads(threads);
  const Tensor result = work();
  at::set_num_threads(before);
  return result;
}

double largest(const Tensor& t) { return t.abs().max().item<double>(); }

}  // namespace

TEST_CASE("NIQE: a fitted model tells its pictures from spoilt ones, in every variant") {
  const StateDict model = fitted();
  CHECK(model.at("mu_pris_param").sizes() == at::IntArrayRef{1, 36});
  CHECK(model.at("cov_pris_param").sizes() == at::IntArrayRef{36, 36});
  CHECK(model.at("gaussian_window").sum().item<double>() == doctest::Approx(1));
  const Tensor image = picture(300, 200, 9);
  for (const char* name : {"basicsr", "basicsr-gray", "pyiqa", "pyiqa-ycbcr"}) {
    const Niqe niqe(model, {.variant = sr::niqe_variant(name)});
    const double score = niqe(image);
    CHECK(std::isfinite(score));
    CHECK(niqe(blurred(image)) > 2 * score);
    CHECK(niqe.describe().find(name) != std::string::npos);
  }
  CHECK_THROWS_AS(sr::niqe_variant("matlab"), sr::UsageError);
}

TEST_CASE("NIQE: grey images, one block, crops, threads") {
  const StateDict model = fitted();
  const Niqe niqe(model), gray(model, {.variant = NiqeVariant::pyiqa});
  const Tensor one = picture(120, 100, 3).slice(1, 0, 1);
  CHECK(std::isfinite(niqe(one)));  // a single block has no covariance of its own
  CHECK(gray(one) == gray(one.expand({1, 3, -1, -1})));
  const Tensor image = picture(230, 215, 4);
  CHECK(Niqe(model, {.crop_border = 9})(image) == niqe(image.slice(2, 9, 221).slice(3, 9, 206)));
  CHECK(niqe(image) == niqe(image.slice(2, 0, 192).slice(3, 0, 192)));  // whole blocks from the corner
  const auto features = [&] { return niqe.features(image); };
  CHECK(on_threads(1, features).equal(on_threads(3, features)));
}

TEST_CASE("NIQE: what cannot be judged is an error") {
  const StateDict model = fitted();
  const Niqe niqe(model);
  CHECK_THROWS_AS(niqe(picture(95, 300, 1)), sr::Error);
  CHECK_THROWS_AS(Niqe(model, {.crop_border = 3})(picture(100, 100, 1)), sr::Error);
  CHECK_THROWS_AS(Niqe(model, {.crop_border = 60})(picture(100, 100, 1)), sr::Error);
  CHECK_THROWS_AS(niqe(picture(100, 100, 1)[0]), sr::Error);
  CHECK_THROWS_AS(niqe(at::full({1, 3, 200, 200}, NAN)), sr::Error);
  for (const NiqeVariant variant : {NiqeVariant::basicsr, NiqeVariant::pyiqa}) {
    const Niqe measure(model, {.variant = variant});
    for (const double value : {0.0, 0.3, 1.0})
      CHECK_THROWS_AS(measure(at::full({1, 3, 200, 200}, value)), sr::Error);
  }
  // Flat blocks beside textured ones are left out.
  Tensor half = picture(192, 288, 2);
  half.slice(3, 0, 96).fill_(0.5);
  CHECK(std::isfinite(niqe(half)));

  StateDict broken = model;
  broken.erase("cov_pris_param");
  CHECK_THROWS_WITH_AS(Niqe{broken}, "the NIQE model lacks cov_pris_param", sr::Error);
  broken["cov_pris_param"] = at::zeros({36, 35}, at::kDouble);
  CHECK_THROWS_AS(Niqe{broken}, sr::Error);
}

TEST_CASE("NIQE: a fit takes the sharp blocks") {
  Tensor image = picture(192, 192, 6);
  image.slice(2, 0, 96) = blurred(image).slice(2, 0, 96);
  const Tensor all = sr::pristine_features(image, {}, 0), sharp = sr::pristine_features(image);
  CHECK(all.size(0) == 4);
  REQUIRE(sharp.size(0) == 2);
  CHECK(sharp[0].equal(all[1]));  // blocks go down the columns
  CHECK(sharp[1].equal(all[3]));
  const StateDict model = sr::fit_niqe({sharp, all});
  const Tensor rows = at::cat({sharp, all});
  CHECK(largest(model.at("mu_pris_param")[0] - rows.mean(0)) < 1e-12);
  CHECK(largest(model.at("cov_pris_param") - at::cov(rows.t())) < 1e-12);
  CHECK_THROWS_AS(sr::fit_niqe({}), sr::Error);
  CHECK_THROWS_AS(sr::fit_niqe({all.slice(0, 0, 1), at::full({3, 36}, NAN, at::kDouble)}), sr::Error);
}

TEST_CASE("local contrast is what its definition says, and exactly 0 where float32 is flat") {
  const Tensor plane = picture(41, 53, 1)[0][0].mul(255).round(), window = sr::gaussian_window(7, 7.0 / 6);
  const auto mean = [&](const Tensor& t) {
    const Tensor padded = at::replication_pad2d(t.view({1, 1, 41, 53}), {3, 3, 3, 3});
    return at::conv2d(padded, window.view({1, 1, 7, 7}))[0][0];
  };
  const Tensor exact = plane.to(at::kDouble), m = mean(exact);
  const Tensor deviation = (mean(exact * exact) - m * m).abs().sqrt();
  CHECK(largest(sr::normalised_contrast(exact, window).values - (exact - m) / (deviation + 1)) < 1e-7);
  const sr::NormalisedContrast single = sr::normalised_contrast(plane, window);
  CHECK(largest(single.values - (exact - m) / (deviation + 1)) < 1e-4);
  CHECK(largest(single.deviation - deviation) < 1e-2);
  CHECK(largest(sr::normalised_contrast(at::full({20, 30}, 77.0F), window).values) == 0);
  CHECK_THROWS_AS(sr::normalised_contrast(plane, at::ones({3, 3}, at::kDouble)), sr::Error);
}

TEST_CASE("the asymmetric generalised Gaussian finds the shape and both scales of samples") {
  at::manual_seed(3);
  const Tensor normal = at::randn({200000}, at::kDouble);
  const Tensor samples = at::where(normal < 0, normal, 2 * normal);
  const Tensor balanced = samples.index({at::rand({200000}) < at::where(normal < 0, 0.5, 1.0)});
  const auto fit = sr::fit_asymmetric_gaussian(balanced.data_ptr<double>(), balanced.numel());
  CHECK(fit.shape == doctest::Approx(2).epsilon(0.03));
  CHECK(fit.left == doctest::Approx(std::numbers::sqrt2).epsilon(0.03));
  CHECK(fit.right == doctest::Approx(2 * std::numbers::sqrt2).epsilon(0.03));
  const Tensor single = balanced.to(at::kFloat);
  const auto same = sr::fit_asymmetric_gaussian(single.data_ptr<float>(), single.numel());
  CHECK(std::abs(same.shape - fit.shape) < 0.0015);
  CHECK(same.left == doctest::Approx(fit.left).epsilon(1e-3));
  const Tensor positive = single.abs();
  const auto one_sided = sr::fit_asymmetric_gaussian(positive.data_ptr<float>(), positive.numel());
  CHECK(one_sided.shape == 0.2);
  CHECK(std::isnan(one_sided.left));
}

TEST_CASE("Weibull fits") {
  at::manual_seed(4);
  const Tensor uniform = at::rand({3, 7000}, at::kDouble).clamp_min(1e-12);
  const Tensor shapes = torch::tensor({0.8, 1.5, 3.0}, at::kDouble).unsqueeze(1);
  const Tensor logs = at::log(-at::log(uniform)) / shapes + std::log(5.0);
  const Tensor fits = sr::fit_weibull(logs.to(at::kFloat));
  CHECK(largest(fits.select(1, 0) / 5 - 1) < 0.05);
  CHECK(largest(fits.select(1, 1) / shapes.squeeze(1) - 1) < 0.05);
  const Tensor flat = at::full({2, 100}, -9.2F);
  CHECK(sr::fit_weibull(flat).isnan().all().item<bool>());
  CHECK_THROWS_AS(sr::fit_weibull(uniform), sr::Error);
}

TEST_CASE("derivatives of Gaussians") {
  constexpr double sigma = 1.4;
  const Tensor x = at::arange(-5, 6, at::kDouble), g = at::exp(-x * x / (2 * sigma * sigma));
  const Tensor plane = picture(30, 40, 2)[0][0].to(at::kDouble);
  // A convolution turns the kernel round.
  const auto convolved = [&](const Tensor& down, const Tensor& across) {
    return at::conv2d(plane.view({1, 1, 30, 40}), at::outer(down, across).view({1, 1, 11, 11}), {}, 1,
                      5)[0][0];
  };
  Tensor across = at::empty({20, 40}, at::kDouble), down = at::empty_like(across);
  sr::GaussianDerivative derivative(sigma);
  derivative.rows(plane.data_ptr<double>(), 30, 40, 10, 30, across.data_ptr<double>(),
                  down.data_ptr<double>());
  CHECK(largest(across - convolved(g, -x * g).slice(0, 10)) < 1e-12);
  CHECK(largest(down - convolved(-x * g, g).slice(0, 10)) < 1e-12);
  CHECK_THROWS_AS(sr::GaussianDerivative(3), sr::Error);
}

TEST_CASE("log-Gabor filters pass their own wave and no mean") {
  const sr::LogGaborBank bank(64, {});
  CHECK(bank.filters() == 12);
  const Tensor wave = at::cos(2 * std::numbers::pi * 27 / 64 * at::arange(64, at::kDouble));  // of length 2.4
  const auto energy = [&](const Tensor& plane, std::int64_t index) {
    return bank.response(at::fft_fft2(plane), index).square().sum().item<double>();
  };
  const Tensor along = wave.expand({64, 64}).contiguous(), down = along.t().contiguous();
  CHECK(energy(along, 0) > 30 * energy(down, 0));
  CHECK(energy(down, 2) > 30 * energy(along, 2));
  CHECK(energy(along, 0) > energy(along, 8));  // the longest waves' filter
  CHECK(energy(at::ones({64, 64}, at::kDouble), 1) < 1e-20);
}

TEST_CASE("resizing as the references round it is resizing") {
  const Tensor image = picture(70, 150, 1)[0];
  const auto resized = [&](std::int64_t height, std::int64_t width) {
    return sr::resized_as_reference(image, sr::pyiqa_axis(70, height), sr::pyiqa_axis(150, width));
  };
  CHECK(largest(resized(131, 37) - sr::imresize_to(image, 131, 37)) < 1e-5);
  CHECK(largest(resized(9, 160) - sr::imresize_to(image, 9, 160)) < 1e-5);
  CHECK(resized(70, 150).equal(image));
}

TEST_CASE("IL-NIQE: threads, grey, and what cannot be judged") {
  const StateDict model = il_model();
  const sr::IlNiqe measure(model);
  const Tensor image = picture(120, 90, 1);
  const auto features = [&] { return measure.features(image); };
  const Tensor expected = on_threads(1, features);
  CHECK(expected.sizes() == at::IntArrayRef{36, 468});
  CHECK(expected.equal(on_threads(3, features)));
  CHECK(std::isfinite(measure(image)));
  const Tensor grey = image.slice(1, 0, 1);
  CHECK(measure.features(grey).equal(measure.features(grey.expand({1, 3, -1, -1}))));
  CHECK_THROWS_AS(measure(at::full({1, 3, 200, 200}, 0.3)), sr::Error);
  CHECK_THROWS_AS(measure(at::full({1, 3, 200, 200}, NAN)), sr::Error);
  CHECK_THROWS_AS(measure(image[0]), sr::Error);
  StateDict broken = model;
  broken.erase("principle_vectors");
  CHECK_THROWS_WITH_AS(sr::IlNiqe{broken}, "the IL-NIQE model lacks principle_vectors", sr::Error);
}
