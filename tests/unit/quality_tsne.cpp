// t-SNE: its parts against their definitions, and that it does what it is for.

#include <cmath>
#include <cstring>
#include <doctest.h>

#include "core/random.h"
#include "quality/tsne.h"
#include "weights_testing.h"

namespace sr::testing {
namespace {

constexpr std::int64_t clusters = 3;

Tensor noise(std::int64_t rows, std::int64_t columns, const char* purpose) {
  RandomStream stream(3, "t-SNE", purpose);
  Tensor values = at::empty({rows, columns}, at::kDouble);
  for (std::int64_t k = 0; k < values.numel(); ++k) values.data_ptr<double>()[k] = stream.normal();
  return values;
}

/// Rows of three Gaussians in turn, ten deviations apart.
Tensor clustered(std::int64_t rows, std::int64_t columns = 12) {
  Tensor values = noise(rows, columns, "clusters");
  for (std::int64_t i = 0; i < rows; ++i) values[i][i % clusters] += 10;
  return values;
}

Tensor run(const Tensor& rows, const TsneOptions& options, int iterations) {
  Tsne tsne(rows, options);
  for (int i = 0; i < iterations; ++i) tsne.step();
  return tsne.points();
}

/// The share of points whose nearest neighbour is of another cluster.
double strays(const Tensor& points) {
  Tensor distances = squared_distances(points);
  distances.fill_diagonal_(1e300);
  const Tensor nearest = distances.argmin(1) % clusters, own = at::arange(points.size(0)) % clusters;
  return (nearest != own).to(at::kDouble).mean().item<double>();
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  const auto bytes = static_cast<std::size_t>(a.numel()) * sizeof(double);
  return a.sizes() == b.sizes() && std::memcmp(a.data_ptr<double>(), b.data_ptr<double>(), bytes) == 0;
}

}  // namespace

TEST_CASE("t-SNE's distances are those of the rows") {
  const Tensor rows = noise(9, 21, "rows");
  const Tensor expected = (rows.unsqueeze(0) - rows.unsqueeze(1)).square().sum(2);
  CHECK(squared_distances(rows).allclose(expected, 1e-13, 1e-13));
}

TEST_CASE("every row has the perplexity that is asked for") {
  for (const double size : {1e-6, 1.0, 1e5}) {  // of the features
    for (const double perplexity : {1.5, 5.0, 37.9}) {
      const Tensor p = neighbour_probabilities(squared_distances(size * noise(40, 7, "rows")), perplexity);
      const Tensor entropy = -(p * (p + 1e-300).log()).sum(1);
      CAPTURE(size);
      CHECK((entropy.exp() - perplexity).abs().max().item<double>() < 1e-5);
      CHECK((p.sum(1) - 1).abs().max().item<double>() < 1e-12);
      CHECK(p.diagonal().abs().max().item<double>() == 0);
    }
  }
}

TEST_CASE("equal rows are no trouble to t-SNE") {
  const Tensor rows = at::cat({at::zeros({8, 3}, at::kDouble), noise(8, 3, "rows")});
  CHECK(joint_probabilities(squared_distances(rows), 4).sum().item<double>() ==
        doctest::Approx(1).epsilon(1e-12));
  CHECK(run(rows, {.perplexity = 4}, 300).isfinite().all().item<bool>());
  CHECK(run(at::ones({8, 3}, at::kDouble), {.perplexity = 4}, 300).isfinite().all().item<bool>());
}

TEST_CASE("t-SNE's gradient is that of its divergence") {
  const Tensor joint = joint_probabilities(squared_distances(noise(13, 5, "rows")), 4);
  Tensor points = noise(13, 2, "points");
  const Tensor gradient = tsne_gradient(joint, points);
  constexpr double step = 1e-5;
  for (std::int64_t k = 0; k < points.numel(); ++k) {
    double& value = points.data_ptr<double>()[k];
    const double before = value;
    value = before + step;
    const double above = tsne_divergence(joint, points);
    value = before - step;
    const double below = tsne_divergence(joint, points);
    value = before;
    CHECK(gradient.data_ptr<double>()[k] == doctest::Approx((above - below) / (2 * step)).epsilon(1e-6));
  }
  const Tensor twice = tsne_gradient(joint, points, 2), thrice = tsne_gradient(joint, points, 3);
  CHECK((thrice - twice).allclose(twice - gradient, 1e-9, 1e-12));  // linear in the exaggeration
}

TEST_CASE("t-SNE's divergence falls and clusters stay apart, from either start") {
  const Tensor rows = clustered(90);
  for (const auto start : {TsneOptions::Start::pca, TsneOptions::Start::random}) {
    Tsne tsne(rows, {.perplexity = 10, .start = start, .seed = 4});
    const double begun = tsne.divergence();
    for (int i = 0; i < 300; ++i) tsne.step();
    const double early = tsne.divergence();
    for (int i = 0; i < 200; ++i) tsne.step();
    CHECK(early < begun / 2);
    CHECK(tsne.divergence() < early);
    CHECK(tsne.divergence() > 0);
    CHECK(strays(tsne.points()) == 0);
  }
  CHECK(strays(noise(90, 2, "points")) > 0.5);  // as it would be by chance
}

TEST_CASE("t-SNE starts at the principal components") {
  Tensor rows = noise(50, 4, "rows") * torch::tensor({3.0, 7.0, 0.5, 1.0}, at::kDouble);
  const Tensor start = Tsne(rows, {.perplexity = 10}).points();
  rows = rows - rows.mean(0);
  const auto [left, values, right] = at::svd(rows);
  for (const std::int64_t k : {0, 1}) {
    const Tensor expected = left.select(1, k) * values[k], found = start.select(1, k);
    const double ratio = (values[0] / std::sqrt(50.0)).item<double>() / 1e-4;
    CHECK((found.abs() * ratio).allclose(expected.abs(), 1e-6, 1e-6));
    CHECK(found[found.abs().argmax()].item<double>() > 0);
  }
}

TEST_CASE("the same seed makes the same bytes, with any number of threads") {
  const Tensor rows = clustered(70);
  const TsneOptions random{.perplexity = 8, .start = TsneOptions::Start::random, .seed = 9};
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Tensor alone = run(rows, random, 260), alone_pca = run(rows, {.perplexity = 8}, 260);
  at::set_num_threads(2);
  CHECK(same_bytes(run(rows, random, 260), alone));
  CHECK(same_bytes(run(rows, {.perplexity = 8}, 260), alone_pca));
  at::set_num_threads(threads);
  auto other = random;
  other.seed = 10;
  CHECK_FALSE(same_bytes(run(rows, other, 260), alone));
}

TEST_CASE("t-SNE refuses what it can't do") {
  const Tensor rows = noise(20, 3, "rows");
  CHECK(contains(error_of([&] { Tsne(rows, {.perplexity = 19}); }), "more than 20 rows, and there are 20"));
  CHECK(contains(error_of([&] { Tsne(rows * NAN, {.perplexity = 5}); }), "finite"));
  CHECK(contains(error_of([&] { Tsne(rows * 1e80, {.perplexity = 5}); }), "less than 1e+50 apart"));
}

}  // namespace sr::testing
