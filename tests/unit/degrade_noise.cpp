#include <array>
#include <cmath>
#include <cstring>
#include <doctest.h>
#include <limits>
#include <vector>

#include "core/error.h"
#include "degrade/diffjpeg_stages.h"
#include "degrade/jpeg_codec.h"
#include "degrade/noise.h"

using sr::RandomStream;
using sr::Tensor;

namespace {

const RandomStream stream(6, "x", "noise");

Tensor picture(at::IntArrayRef shape) {
  at::manual_seed(3);
  return at::rand(shape);
}

double largest(const Tensor& values) { return values.abs().max().item<double>(); }

/// What `answer` gives with this many threads.
template <typename Answer>
Tensor with_threads(int threads, const Answer& answer) {
  const int before = at::get_num_threads();
  at::set_num_threads(threads);
  Tensor values = answer();
  at::set_num_threads(before);
  return values;
}

Tensor counts_at(const Tensor& rates, std::uint64_t offset = 0) {
  Tensor counts = at::empty_like(rates);
  stream.fill_poisson(counts, rates, offset);
  return counts;
}

/// Pearson's statistic of counts at one rate, over cells of at least 20, minus its expectation, in units of
/// its deviation.
double misfit(const Tensor& counts, double rate) {
  const double n = static_cast<double>(counts.numel());
  double statistic = 0, cells = 0, expected = 0, found = 0;
  const Tensor histogram = at::bincount(counts.to(at::kLong));
  for (std::int64_t k = 0; k < histogram.size(0); ++k) {
    expected += n * std::exp(static_cast<double>(k) * std::log(rate) - rate -
                             std::lgamma(static_cast<double>(k) + 1));
    found += histogram[k].item<double>();
    if (expected < 20) continue;
    statistic += (found - expected) * (found - expected) / expected;
    cells += 1, expected = found = 0;
  }
  return (statistic - cells) / std::sqrt(2 * cells);
}

}  // namespace

// --- random tensors ------------------------------------------------------------------------------

TEST_CASE("Poisson counts have Poisson's probabilities, by inversion and by rejection") {
  for (const float rate : {0.3f, 9.9f, 10.0f, 37.5f, 256.0f, 5000.0f}) {
    CAPTURE(rate);
    const Tensor counts = counts_at(at::full({300000}, rate));
    CHECK(std::abs(misfit(counts, rate)) < 4);
    CHECK(std::abs(counts.mean().item<double>() - rate) < 4 * std::sqrt(rate / 300000));
  }
}

TEST_CASE("a Poisson count depends on its number and rate alone") {
  const Tensor rates = picture({70001}).mul(40);
  const Tensor whole = with_threads(1, [&] { return counts_at(rates); });
  CHECK(whole.equal(with_threads(3, [&] { return counts_at(rates); })));
  CHECK(counts_at(rates.slice(0, 777, 1778).contiguous(), 777).equal(whole.slice(0, 777, 1778)));
  Tensor others = rates.clone();
  others.slice(0, 0, 70001, 2).fill_(0);
  const Tensor some = counts_at(others);
  CHECK(some.slice(0, 1, 70001, 2).equal(whole.slice(0, 1, 70001, 2)));
  CHECK(largest(some.slice(0, 0, 70001, 2)) == 0);
}

TEST_CASE("rates of no Poisson distribution are errors") {
  for (const float rate : {-1.0f, 2e9f, std::numeric_limits<float>::quiet_NaN()}) {
    CHECK_THROWS_AS(counts_at(at::full({3}, rate)), sr::Error);
  }
  Tensor counts = at::empty({4});
  CHECK_THROWS_AS(stream.fill_poisson(counts, at::ones({5})), sr::Error);
  CHECK_THROWS_AS(stream.fill_poisson(counts, at::ones({4}, at::kDouble)), sr::Error);
  CHECK(counts_at(at::full({1}, 1e9f)).item<double>() == doctest::Approx(1e9).epsilon(1e-3));
}

TEST_CASE("normal fills have a normal distribution's moments and tails") {
  Tensor values = at::empty({2000000});
  stream.fill_normal(values);
  CHECK(std::abs(values.mean().item<double>()) < 0.003);
  CHECK(values.pow(2).mean().item<double>() == doctest::Approx(1).epsilon(0.005));
  CHECK(values.pow(4).mean().item<double>() == doctest::Approx(3).epsilon(0.01));
  CHECK(values.abs().gt(3).to(at::kDouble).mean().item<double>() == doctest::Approx(0.0026998).epsilon(0.06));
  CHECK(largest(values) < 6.7);
  // neighbours in memory, in the batch and in the pair
  for (const std::int64_t lag : {1, 64, 128, 256}) {
    const Tensor product = values.slice(0, lag) * values.slice(0, 0, values.numel() - lag);
    CHECK(std::abs(product.mean().item<double>()) < 0.003);
  }
}

TEST_CASE("the fills never change: recorded values") {
  Tensor values = at::empty({3});
  RandomStream(1, "item", "purpose").fill_normal(values, 255);
  CHECK(largest(values - torch::tensor({0.00100138551f, 0.0427783802f, 0.437511593f})) < 1e-6);
  RandomStream(1, "item", "purpose").fill_poisson(values, torch::tensor({3.f, 30.f, 300.f}));
  CHECK(values.equal(torch::tensor({6.f, 34.f, 310.f})));
}

// --- noise ---------------------------------------------------------------------------------------

TEST_CASE("noise by loops is noise by operators, grey and coloured, on any number of threads") {
  const Tensor image = picture({2, 3, 123, 150}), tracked = image.clone().requires_grad_();
  for (const std::int64_t channels : {1, 3}) {
    const Tensor normals = at::randn({2, channels, 123, 150});
    for (const auto clamp : {sr::Clamp::yes, sr::Clamp::no}) {
      const auto noisy = [&] { return sr::add_gaussian_noise(image, 20, normals, clamp); };
      CHECK(largest(noisy() - sr::add_gaussian_noise(tracked, 20, normals, clamp)) < 1e-6);
      CHECK(with_threads(1, noisy).equal(with_threads(3, noisy)));
    }
    const Tensor seen = channels == 1 ? sr::torchvision_gray(image) : image;
    const auto photons = sr::photon_rates(seen), same = sr::photon_rates(seen.clone().requires_grad_());
    CHECK(photons.quantised.equal(same.quantised));
    CHECK(photons.distinct == same.distinct);
    const Tensor counts = at::poisson(photons.rates());
    CHECK(largest(sr::add_poisson_noise(image, 1.5, photons, counts) -
                  sr::add_poisson_noise(tracked, 1.5, photons, counts)) < 1e-6);
  }
}

TEST_CASE("photons are counted by the power of two above the number of values") {
  const auto rates = [](const std::vector<float>& values) {
    const auto n = static_cast<std::int64_t>(values.size());
    return sr::photon_rates(torch::tensor(values).view({1, 1, 1, n}));
  };
  CHECK(rates({0.5, 0.5}).vals == 1);
  CHECK(rates({0, 0.5, 1}).vals == 4);
  CHECK(rates({0, 0.25, 0.5, 1}).vals == 4);
  CHECK(rates({-3, 0, 1, 7}).distinct == 2);  // clamped
  CHECK(rates({0.5f / 255, 1.5f / 255, 2.5f / 255})
            .quantised.mul(255)
            .equal(torch::tensor({0.f, 2.f, 2.f}).view({1, 1, 1, 3})));
}

TEST_CASE("noise of our own has the asked deviation and is grey where it should be") {
  const Tensor image = at::full({1, 3, 200, 210}, 0.5);
  const Tensor coloured = sr::with_gaussian_noise(image, 10, false, stream) - image;
  CHECK(coloured.std().item<double>() == doctest::Approx(10.0 / 255).epsilon(0.01));
  const Tensor gray = sr::with_gaussian_noise(image, 10, true, stream) - image;
  CHECK(gray.select(1, 0).equal(gray.select(1, 2)));
  CHECK_FALSE(coloured.select(1, 0).equal(coloured.select(1, 2)));
  // One value: a rate of 1 * 128 / 255 photons, whose deviation is its square root.
  const Tensor shot = sr::with_poisson_noise(image, 0.1, false, stream);
  CHECK(shot.std().item<double>() == doctest::Approx(0.1 * std::sqrt(128.0 / 255)).epsilon(0.02));
  CHECK(shot.mean().item<double>() == doctest::Approx(0.5).epsilon(0.01));
}

// --- DiffJPEG ------------------------------------------------------------------------------------

TEST_CASE("DiffJPEG by the loop is DiffJPEG by operators, sample by sample, on any number of threads") {
  const std::vector<double> quality{7.5, 63, 98.2};
  for (const auto& size : std::vector<std::array<std::int64_t, 2>>{{16, 32}, {1, 1}, {17, 15}, {50, 131}}) {
    CAPTURE(size[0]);
    const Tensor images = picture({3, 3, size[0], size[1]});
    const Tensor answer = with_threads(1, [&] { return sr::diff_jpeg(images, quality); });
    const Tensor expected = sr::diffjpeg::recoded(images, quality, sr::JpegRounding::nearest);
    CHECK((answer - expected).abs().gt(1e-4).to(at::kDouble).mean().item<double>() <= 1e-3);
    CHECK(answer.equal(with_threads(3, [&] { return sr::diff_jpeg(images, quality); })));
    for (std::int64_t n = 0; n < 3; ++n) {
      const double own[] = {quality[static_cast<std::size_t>(n)]};
      CHECK(sr::diff_jpeg(images.slice(0, n, n + 1), own).equal(answer.slice(0, n, n + 1)));
    }
  }
}

TEST_CASE("DiffJPEG hardly changes a smooth picture at a high quality") {
  const Tensor ramp = at::linspace(0.1, 0.9, 64).view({1, 1, 1, 64}).expand({1, 3, 48, 64});
  const double quality[] = {99.9};
  CHECK(largest(sr::diff_jpeg(ramp, quality) - ramp) < 0.01);
}

TEST_CASE("gradients pass through cubic rounding alone") {
  const double quality[] = {60};
  const auto gradient = [&](sr::JpegRounding rounding) {
    const Tensor image = picture({1, 3, 20, 20}).requires_grad_();
    sr::diff_jpeg(image, quality, rounding).sum().backward();
    return image.grad();
  };
  CHECK(largest(gradient(sr::JpegRounding::nearest)) == 0);
  CHECK(largest(gradient(sr::JpegRounding::cubic)) > 0.01);
}

TEST_CASE("qualities that DiffJPEG has not are errors") {
  const Tensor images = picture({3, 3, 16, 16});
  for (const double quality : {0.0, -5.0, 100.0, std::nan("")}) {
    CHECK_THROWS_AS(sr::diff_jpeg(images, std::vector<double>{quality}), sr::Error);
  }
  CHECK_THROWS_AS(sr::diff_jpeg(images, std::vector<double>{50, 60}), sr::Error);
  CHECK_THROWS_AS(sr::diff_jpeg(images.slice(1, 0, 1), std::vector<double>{50}), sr::Error);
}

// --- libjpeg -------------------------------------------------------------------------------------

TEST_CASE("a batch through libjpeg is its pictures through encode_jpeg and decode_jpeg") {
  const Tensor images = picture({3, 3, 33, 47}) * 1.4 - 0.2;  // clamped
  const Tensor answer = with_threads(2, [&] { return sr::codec_jpeg(images, 71); });
  for (std::int64_t n = 0; n < 3; ++n) {
    const Tensor bytes = images[n].mul(255).round().clamp(0, 255).to(at::kByte);
    const Tensor decoded = sr::decode_jpeg(sr::encode_jpeg(bytes, 71));
    CHECK(answer[n].equal(decoded.to(at::kFloat).div(255)));
  }
}

TEST_CASE("what is no JPEG and no picture is an error") {
  CHECK_THROWS_AS(sr::decode_jpeg(std::vector<std::byte>(100)), sr::Error);
  CHECK_THROWS_AS(sr::decode_jpeg({}), sr::Error);
  const Tensor image = at::zeros({3, 8, 8}, at::kByte);
  CHECK_THROWS_AS(sr::encode_jpeg(image, 0), sr::Error);
  CHECK_THROWS_AS(sr::encode_jpeg(image, 101), sr::Error);
  CHECK_THROWS_AS(sr::encode_jpeg(image.to(at::kFloat), 50), sr::Error);
  CHECK_THROWS_AS(sr::codec_jpeg(at::zeros({1, 3, 1, 70000}), 50), sr::Error);  // too wide for the format
  auto file = sr::encode_jpeg(image, 50);
  file.resize(20);
  CHECK_THROWS_AS(sr::decode_jpeg(file), sr::Error);
}
