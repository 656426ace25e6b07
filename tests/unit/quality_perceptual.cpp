// LPIPS, DISTS and the networks whose features they compare, where recorded cases don't reach: those need
// files that are not part of the repository.

#include <cmath>
#include <limits>
#include <torch/types.h>

#include "core/error.h"
#include "nets/alexnet.h"
#include "nets/squeezenet.h"
#include "nets/vgg.h"
#include "quality/dists.h"
#include "quality/lpips.h"

// After LibTorch, which has a CHECK of its own.
#include <doctest.h>

using namespace sr;

namespace {

double distance(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

/// Weights that keep the size of features from layer to layer.
StateDict backbone(const FeatureNet& network) {
  StateDict weights;
  for (const auto& parameter : network.named_parameters()) {
    const Tensor& own = parameter.value();
    const double fan = own.dim() == 4 ? static_cast<double>(own.numel() / own.size(0)) : 200;
    weights[parameter.key()] = at::randn(own.sizes()) * std::sqrt(2 / fan);
  }
  return weights;
}

StateDict linear(const std::vector<int64_t>& channels) {
  StateDict weights;
  for (size_t i = 0; i < channels.size(); ++i)
    weights["lin" + std::to_string(i) + ".model.1.weight"] = at::rand({1, channels[i], 1, 1});
  return weights;
}

struct Setting {
  LpipsNet net;
  FeatureNet (*make)();
  std::vector<int64_t> channels;
  int64_t smallest_side;
};

const Setting alex{LpipsNet::alex, alexnet, {64, 192, 384, 256, 256}, 31};
const Setting squeeze{LpipsNet::squeeze, squeezenet, {64, 128, 256, 384, 384, 512, 512}, 17};
const Setting vgg{LpipsNet::vgg, vgg16, {64, 128, 256, 512, 512}, 16};

struct Pair {
  Tensor image, reference;
};

/// Something smooth, and the same with noise.
Pair pair(int64_t height, int64_t width) {
  const Tensor coarse = at::rand({1, 3, height / 8 + 2, width / 8 + 2});
  const Tensor image = at::upsample_bicubic2d(coarse, {height, width}, false).clamp(0, 1);
  return {image, (image + at::randn_like(image) * 0.05).clamp(0, 1)};
}

/// As the paper has it, from features in float64.
double lpips_by_formula(const Lpips& lpips, const StateDict& lin, const Pair& pair) {
  const auto a = lpips.features(pair.image), b = lpips.features(pair.reference);
  double total = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto unit = [](const Tensor& features) {
      const Tensor f = features.to(at::kDouble);
      return f / (f.square().sum(1, true).sqrt() + 1e-10);
    };
    const Tensor weight = lin.at("lin" + std::to_string(i) + ".model.1.weight").to(at::kDouble);
    total += ((unit(a[i]) - unit(b[i])).square() * weight).sum(1).mean().item<double>();
  }
  return total;
}

Tensor per_channel(std::vector<float> values) { return torch::tensor(values).view({1, 3, 1, 1}); }

Tensor pooled_by_formula(const Tensor& map) {
  const Tensor hann = torch::tensor({0.25, 0.5, 0.25}, map.options());
  const Tensor window = at::outer(hann, hann).expand({map.size(1), 1, 3, 3});
  return (at::conv2d(map.square(), window, {}, 2, 1, 1, map.size(1)) + 1e-12).sqrt();
}

double dists_by_formula(const FeatureNet& network, const StateDict& weights, const Pair& pair) {
  const auto features = [&](const Tensor& image) {
    std::vector<Tensor> found{image.to(at::kDouble)};
    Tensor x = (image - per_channel({.485F, .456F, .406F})) / per_channel({.229F, .224F, .225F});
    for (const auto& [begin, end] :
         std::vector<std::pair<int, int>>{{0, 4}, {5, 9}, {10, 16}, {17, 23}, {24, 30}}) {
      x = network.run(begin > 0 ? pooled_by_formula(x) : x, begin, end);
      found.push_back(x.to(at::kDouble));
    }
    return found;
  };
  const auto a = features(pair.image), b = features(pair.reference);
  std::vector<Tensor> means, structures;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto mean = [](const Tensor& f) { return f.mean({2, 3}).flatten(); };
    const Tensor ma = mean(a[i]), mb = mean(b[i]);
    const auto variance = [&](const Tensor& f) { return f.var({2, 3}, /*unbiased=*/false).flatten(); };
    means.push_back((2 * ma * mb + 1e-6) / (ma.square() + mb.square() + 1e-6));
    structures.push_back((2 * (mean(a[i] * b[i]) - ma * mb) + 1e-6) /
                         (variance(a[i]) + variance(b[i]) + 1e-6));
  }
  const Tensor alpha = weights.at("alpha").flatten().to(at::kDouble),
               beta = weights.at("beta").flatten().to(at::kDouble);
  const Tensor alike = alpha * at::cat(means) + beta * at::cat(structures);
  return 1 - (alike.sum() / (alpha.sum() + beta.sum())).item<double>();
}

StateDict dists_weights() {
  return {{"alpha", at::rand({1, 1475, 1, 1})}, {"beta", at::rand({1, 1475, 1, 1})}};
}

std::string message_of(const std::function<void()>& attempt) {
  try {
    attempt();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool names(const std::string& message, const std::string& part) {
  return message.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("LPIPS is the paper's formula, symmetric, and nothing between equal images") {
  at::manual_seed(1);
  for (const Setting& setting : {alex, squeeze, vgg}) {
    const StateDict lin = linear(setting.channels);
    const Lpips lpips(setting.net, LpipsVersion::v0_1, backbone(setting.make()), lin);
    CAPTURE(lpips.describe());
    const Pair images = pair(40, 53);
    const double score = lpips(images.image, images.reference);
    CHECK(score > 1e-3);
    CHECK(score == doctest::Approx(lpips_by_formula(lpips, lin, images)).epsilon(1e-5));
    CHECK(lpips(images.reference, images.image) == doctest::Approx(score).epsilon(1e-6));
    CHECK(lpips(images.image, images.image) == 0);
    const Tensor map = lpips.spatial(images.image, images.reference);
    CHECK(map.sizes() == at::IntArrayRef({40, 53}));
    CHECK(map.min().item<double>() >= 0);

    const int64_t side = setting.smallest_side;
    const Pair smallest = pair(side, side + 9), smaller = pair(side + 9, side - 1);
    CHECK(std::isfinite(lpips(smallest.image, smallest.reference)));
    CHECK(names(message_of([&] { lpips(smaller.image, smaller.reference); }),
                "needs images of " + std::to_string(side) + " pixels"));
  }
}

TEST_CASE("LPIPS refuses images of different sizes or shapes, and values that are no numbers") {
  at::manual_seed(2);
  const Lpips lpips(alex.net, LpipsVersion::v0_1, backbone(alexnet()), linear(alex.channels));
  const Pair images = pair(40, 50);
  CHECK_THROWS_AS(lpips(images.image, pair(50, 40).image), Error);
  CHECK_THROWS_AS(lpips.spatial(images.image[0], images.reference), Error);
  Tensor broken = images.image.clone();
  broken[0][0][0][0] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(lpips(broken, images.reference), Error);
}

TEST_CASE("LPIPS 0.0 sees images in [-1,1], 0.1 normalised ones") {
  at::manual_seed(3);
  const StateDict weights = backbone(alexnet()), lin = linear(alex.channels);
  const Lpips first(alex.net, LpipsVersion::v0_0, weights, lin),
      second(alex.net, LpipsVersion::v0_1, weights, lin);
  const Pair images = pair(48, 64);
  CHECK(std::abs(first(images.image, images.reference) / second(images.image, images.reference) - 1) > 1e-3);
  CHECK(first.describe() != second.describe());
  FeatureNet network = alexnet();
  network.load(weights);
  const Tensor centred = 2 * images.image - 1;
  CHECK(distance(first.features(images.image)[4], network.run(centred, 0, 12)) < 1e-4);
  const Tensor scaled =
      (centred - per_channel({-.030F, -.088F, -.188F})) / per_channel({.458F, .448F, .450F});
  CHECK(distance(second.features(images.image)[4], network.run(scaled, 0, 12)) < 1e-4);
}

TEST_CASE("LPIPS and DISTS name the weights that are missing or of another shape") {
  StateDict weights = backbone(alexnet()), lin = linear(alex.channels);
  weights["classifier.1.weight"] = at::zeros({2, 2});  // passed over, as in torchvision's checkpoint
  const auto built = [&] { Lpips(LpipsNet::alex, LpipsVersion::v0_1, weights, lin); };
  CHECK(message_of(built).empty());
  lin.erase("lin2.model.1.weight");
  lin["lin3.model.1.weight"] = at::zeros({1, 384, 1, 1});
  const std::string linear_message = message_of(built);
  CHECK(names(linear_message, "lin2.model.1.weight is missing"));
  CHECK(names(linear_message, "lin3.model.1.weight is 1x384x1x1, not 1x256x1x1"));
  lin = linear(alex.channels);
  weights.erase("features.8.bias");
  const std::string message = message_of(built);
  CHECK(names(message, "AlexNet"));
  CHECK(names(message, "features.8.bias is missing"));
  CHECK(names(message_of([&] { Dists({}, dists_weights()); }), "features.0.weight is missing"));
}

TEST_CASE("DISTS is the paper's formula, symmetric, and nothing between equal images") {
  at::manual_seed(4);
  const at::NoGradGuard no_grad;
  FeatureNet network = vgg16();
  const StateDict weights = dists_weights(), vgg_weights = backbone(network);
  network.load(vgg_weights);
  const Dists dists(vgg_weights, weights);
  for (const auto& [height, width] : std::vector<std::pair<int64_t, int64_t>>{{37, 40}, {1, 1}, {3, 20}}) {
    const Pair images = pair(height, width);
    const double score = dists(images.image, images.reference);
    CHECK(score == doctest::Approx(dists_by_formula(network, weights, images)).epsilon(1e-4));
    CHECK(dists(images.reference, images.image) == doctest::Approx(score).epsilon(1e-9));
    CHECK(std::abs(dists(images.image, images.image)) < 1e-9);
  }
  const Pair images = pair(20, 24);
  CHECK_THROWS_AS(dists(images.image, pair(24, 20).image), Error);
  Tensor broken = images.image.clone();
  broken[0][2][3][4] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_AS(dists(images.image, broken), Error);
  CHECK(names(message_of([&] { Dists(vgg_weights, {{"alpha", weights.at("alpha")}}); }), "beta is missing"));
}

TEST_CASE("L2 pooling is the root of a convolution of squares") {
  at::manual_seed(5);
  for (const auto& shape : std::vector<std::vector<int64_t>>{{2, 64, 9, 12}, {1, 5, 1, 1}, {1, 16, 2, 7}}) {
    const Tensor map = at::randn(shape), pooled = l2_pool(map), expected = pooled_by_formula(map);
    CHECK(pooled.sizes() == expected.sizes());
    CHECK(distance(pooled, expected) < 1e-6);
  }
}

TEST_CASE("large images shrink for DISTS as PIL shrinks them, small ones stay") {
  at::manual_seed(6);
  const Tensor small = at::rand({1, 3, 256, 700});
  CHECK(dists_resized(small).is_same(small));
  const Tensor levels = at::randint(256, {1, 3, 257, 400}).to(at::kFloat) / 255;
  const Tensor shrunk = dists_resized(levels);
  CHECK(shrunk.sizes() == at::IntArrayRef({1, 3, 256, 398}));
  CHECK(distance(shrunk * 255, (shrunk * 255).round()) < 1e-4);
  // PIL rounds twice, and its weights to 22 bits.
  const Tensor plain = at::_upsample_bilinear2d_aa(levels, {256, 398}, false);
  CHECK(distance(shrunk, plain) < 1.01 / 255);
  const Tensor flat = at::full({1, 3, 300, 500}, 77.F / 255);
  CHECK(at::equal(dists_resized(flat), at::full({1, 3, 256, 426}, 77.F / 255)));
}

TEST_CASE("feature networks answer the same with gradients, and in float64") {
  at::manual_seed(7);
  FeatureNet network = squeezenet();
  network.load(backbone(network));
  const Tensor image = at::rand({2, 3, 67, 70});
  const Tensor learnt = image.clone().requires_grad_();
  const Tensor with = network.features(normalised(learnt, kImagenetNormalisation), {1, 12})[1];
  with.square().sum().backward();
  CHECK(learnt.grad().abs().sum().item<double>() > 0);
  const at::NoGradGuard no_grad;
  const Tensor without = network.features(normalised(image, kImagenetNormalisation), {1, 12})[1];
  CHECK(distance(with, without) < 1e-4);
  network.to(at::kDouble);
  const Tensor exact = network.run(normalised(image.to(at::kDouble), kImagenetNormalisation), 0, 13);
  CHECK(distance(exact, without) < 1e-4);
}

TEST_CASE("VGG-16 and VGG-19 have torchvision's layers") {
  CHECK(vgg16().layers() == 31);
  const FeatureNet network = vgg19();
  CHECK(network.layers() == 37);
  const auto parameters = network.named_parameters();
  CHECK(parameters["features.0.weight"].sizes() == at::IntArrayRef({64, 3, 3, 3}));
  CHECK(parameters["features.28.weight"].sizes() == at::IntArrayRef({512, 512, 3, 3}));
  CHECK(parameters["features.34.bias"].sizes() == at::IntArrayRef({512}));
  CHECK(parameters.size() == 32);
}
