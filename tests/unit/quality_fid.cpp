#include <boost/filesystem/fstream.hpp>

#include "nets/packed_conv.h"
#include "quality/fid.h"
#include "weights/npz.h"
#include "weights_testing.h"

namespace sr::testing {
namespace {

std::vector<Tensor> rows_of(const Tensor& table) { return table.unbind(0); }

/// Features of `count` images that depend on each other.
Tensor drawn(int64_t count, int64_t features, double shift = 0) {
  const Tensor mixing = at::randn({features, features}, at::kDouble);
  return at::matmul(at::randn({count, features}, at::kDouble), mixing) + shift;
}

TEST_CASE("a packed convolution is the convolution, by whichever way, for any size of map") {
  at::manual_seed(5);
  const at::NoGradGuard no_grad;
  struct Shape {
    int64_t in, out, height, width;
    PackedConv::Geometry geometry;
  };
  const std::vector<Shape> shapes = {
      {16, 32, 3, 3, {.padding = {1, 1}}},                              // Winograd
      {16, 32, 3, 3, {.padding = {0, 0}}},                              // Winograd, cropped
      {16, 32, 5, 5, {.padding = {2, 2}, .stride = 1, .relu = false}},  // Winograd
      {3, 8, 3, 3, {.padding = {0, 0}, .stride = 2}},                   // oneDNN
      {16, 24, 1, 7, {.padding = {0, 3}}},
      {16, 24, 3, 1, {.padding = {1, 0}, .stride = 1, .relu = false}},
      {20, 12, 1, 1, {}}};
  for (const Shape& shape : shapes) {
    const Tensor weight = at::randn({shape.out, shape.in, shape.height, shape.width}),
                 bias = at::randn({shape.out});
    const PackedConv packed(weight, bias, shape.geometry, 19);
    for (const int64_t side : {19, 22}) {
      const Tensor map = at::randn({2, shape.in, side, side + 3});
      const auto& [padding, stride, relu] = shape.geometry;
      const Tensor plain = at::conv2d(map, weight, bias, {stride, stride}, padding);
      const Tensor found = packed(map);
      const Tensor error = (found - (relu ? plain.relu() : plain)).abs().max() / plain.abs().max();
      CHECK(error.item<float>() < 1e-5);
      CHECK(found.is_contiguous(at::MemoryFormat::ChannelsLast));
    }
  }
}

TEST_CASE("FID's network says what it misses and passes classifiers over") {
  CHECK_THROWS_WITH_AS(FidFeatures(StateDict{}), doctest::Contains("Conv2d_1a_3x3.conv.weight is missing"),
                       Error);
  for (const char* key :
       {"fc.weight", "AuxLogits.conv0.conv.weight", "Mixed_5b.branch1x1.bn.num_batches_tracked"})
    CHECK(spare_in_inception(key));
  CHECK_FALSE(spare_in_inception("Mixed_5b.branch1x1.bn.weight"));
}

TEST_CASE("FID's statistics are numpy.cov's, however many rows") {
  at::manual_seed(1);
  const FidStatistics small = fid_statistics(rows_of(torch::tensor({{1.f, 2.f}, {3.f, 6.f}, {5.f, 1.f}})));
  CHECK(at::allclose(small.mu, torch::tensor({3., 3.}, at::kDouble)));
  CHECK(at::allclose(small.sigma, torch::tensor({{4., -1.}, {-1., 7.}}, at::kDouble)));
  const Tensor many = drawn(1300, 5, 100).to(at::kFloat);
  const FidStatistics found = fid_statistics(rows_of(many));
  CHECK(at::allclose(found.sigma, at::cov(many.to(at::kDouble).t()), 1e-10));
}

TEST_CASE("a set is at no distance from itself, of any rank") {
  at::manual_seed(2);
  for (const int64_t images : {2, 10, 200}) {
    const FidStatistics set = fid_statistics(rows_of(drawn(images, 40)));
    CHECK(frechet_distance(set, set) <= 1e-9 * set.sigma.trace().item<double>());
    FidStatistics moved = set;
    moved.mu = set.mu + 0.5;
    CHECK(frechet_distance(set, moved) == doctest::Approx(40 * 0.25).epsilon(1e-6));
  }
}

TEST_CASE("Frechet's distance of covariances that commute is that of their deviations") {
  const Tensor zero = at::zeros({3}, at::kDouble);
  const Tensor a = torch::tensor({4., 0., 1.}, at::kDouble), b = torch::tensor({1., 9., 0.}, at::kDouble);
  CHECK(frechet_distance({zero, a.diag()}, {zero, b.diag()}) == doctest::Approx(1 + 9 + 1).epsilon(1e-12));
  CHECK(frechet_distance({zero, a.diag()}, {zero, at::zeros({3, 3}, at::kDouble)}) == doctest::Approx(5));
  CHECK(frechet_distance({zero, (a + 1).diag()}, {zero, (a + 1).mul(4).diag()}) ==
        doctest::Approx(5 + 1 + 2).epsilon(1e-12));
}

TEST_CASE("Frechet's distance is symmetric and blind to rotations") {
  at::manual_seed(3);
  const Tensor rotation = std::get<0>(at::linalg_qr(at::randn({30, 30}, at::kDouble)));
  const auto rotated = [&](const FidStatistics& set) {
    return FidStatistics{at::mv(rotation, set.mu), rotation.matmul(set.sigma).matmul(rotation.t())};
  };
  for (const int64_t images : {20, 100}) {  // singular, regular
    const FidStatistics a = fid_statistics(rows_of(drawn(images, 30)));
    const FidStatistics b = fid_statistics(rows_of(drawn(100, 30, 1)));
    const double distance = frechet_distance(a, b);
    CHECK(frechet_distance(b, a) == doctest::Approx(distance).epsilon(1e-7));
    CHECK(frechet_distance(rotated(a), rotated(b)) == doctest::Approx(distance).epsilon(1e-7));
  }
}

TEST_CASE("KID is the unbiased estimate, also of sets of different sizes") {
  const Tensor a = torch::tensor({{1., 0.}, {0., 1.}, {1., 1.}}, at::kDouble);
  const Tensor b = torch::tensor({{2., 0.}, {0., 0.}}, at::kDouble);
  // kernels (x y / 2 + 1)^3: within a 1, 1.5^3, 1.5^3; within b 1; across 8, 1, 1, 1, 8, 1
  const double within = (1 + 2 * 3.375) / 3, across = 20. / 6;
  CHECK(kid(a, b) == doctest::Approx(within + 1 - 2 * across));
  CHECK(kid(b, a) == doctest::Approx(kid(a, b)));
  CHECK_THROWS_WITH_AS(kid(a, b.slice(0, 0, 1)), doctest::Contains("two images"), Error);
  CHECK_THROWS_WITH_AS(kid(a, at::zeros({2, 3})), doctest::Contains("as many features"), Error);
}

TEST_CASE("statistics that are none are refused") {
  const Tensor row = at::zeros({4});
  CHECK_THROWS_WITH_AS(fid_statistics({}), doctest::Contains("not 0"), Error);
  CHECK_THROWS_WITH_AS(fid_statistics({row}), doctest::Contains("not 1"), Error);
  CHECK_THROWS_WITH_AS(fid_statistics({row, at::zeros({5})}), doctest::Contains("same length"), Error);
  CHECK_THROWS_WITH_AS(fid_statistics({row, row + NAN}), doctest::Contains("no numbers"), Error);
  const FidStatistics four = fid_statistics({row, row + 1}), three{at::zeros({3}), at::eye(3)};
  CHECK_THROWS_WITH_AS(frechet_distance(four, three), doctest::Contains("not 4 with 3"), Error);
  CHECK_THROWS_AS(frechet_distance(four, {four.mu, three.sigma}), Error);
}

TEST_CASE("statistics of files: there and back, and what is wrong with others") {
  at::manual_seed(4);
  const ScratchFolder folder;
  const fs::path file = folder.path() / "set.npz";
  const FidStatistics set = fid_statistics(rows_of(drawn(9, 6)));
  save_fid_statistics(file, set);
  const FidStatistics found = load_fid_statistics(file);
  CHECK(same(found.mu, set.mu));
  CHECK(same(found.sigma, set.sigma));
  const auto error_with = [&](const StateDict& arrays) {
    write_npz(file, arrays);
    return error_of([&] { load_fid_statistics(file); });
  };
  CHECK(contains(error_with({{"mu", set.mu}}), "set.npz: holds no array 'sigma'"));
  CHECK(contains(error_with({{"arr_0", set.mu}, {"sigma", set.sigma}}), "'mu'"));
  CHECK(contains(error_with({{"mu", set.mu}, {"sigma", set.mu}}), "'sigma' is [6], not the [6,6]"));
  CHECK(contains(error_with({{"mu", set.sigma}, {"sigma", set.sigma}}), "'mu' is [6,6]"));
  CHECK(contains(error_with({{"mu", set.mu + NAN}, {"sigma", set.sigma}}), "not finite"));
  const auto error_of_sigma = [&](const Tensor& sigma) {
    return error_with({{"mu", set.mu}, {"sigma", sigma}});
  };
  CHECK(contains(error_of_sigma(set.sigma / 0.), "'sigma' holds values that are not finite"));
  CHECK(contains(error_of_sigma(set.sigma.triu()), "set.npz: 'sigma' is not symmetric"));
  CHECK(contains(error_of_sigma(-set.sigma), "negative variance"));
  write_npz(file, {{"mu", set.mu}, {"sigma", set.sigma * (1 + 1e-7 * at::randn({6, 6}, at::kDouble))}});
  CHECK(at::allclose(load_fid_statistics(file).sigma, set.sigma));
  CHECK(contains(error_of([&] { load_fid_statistics(folder.write("x.npz", "nothing")); }), "no .npz file"));
}

}  // namespace
}  // namespace sr::testing
