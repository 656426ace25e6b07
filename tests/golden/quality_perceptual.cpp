// LPIPS and DISTS. Tolerances: ../shared/golden/metrics/README.md.

#include <fmt/format.h>

#include "case.h"
#include "quality/dists.h"
#include "quality/lpips.h"
#include "weights/checkpoint.h"

namespace golden {
namespace {

/// Recorded pictures are uint8 H x W x 3; measures take [1,3,H,W] in [0,1].
Tensor image(const Case& recorded, const std::string& name) {
  return recorded.in(name).permute({2, 0, 1}).unsqueeze(0).to(at::kFloat).div(255).contiguous();
}

/// Pairs are called a0 and b0, a1 and b1, ...
size_t pairs(const Case& recorded) {
  size_t count = 0;
  while (recorded.has(fmt::format("in.a{}", count))) ++count;
  return count;
}

/// What the measure's authors trained on top of the backbone; skips where it is not here.
std::optional<StateDict> trained(const Case& recorded, const std::string& name, Report& report) {
  const fs::path path = Options{}.data_for(recorded.path) / name;
  if (fs::exists(path)) return sr::load_checkpoint(path);
  report.skip(fmt::format("{} is missing (--data)", path.string()));
  return std::nullopt;
}

/// Against what the official code gave in float32, and in float64.
void compare_both(const Case& recorded, Report& report, const std::string& name, const Tensor& actual,
                  double tolerance, bool relative) {
  for (const std::string& recorded_name : {name, name + "_f64"}) {
    const Tensor expected = recorded.out(recorded_name);
    if (relative) {
      report.compare_relative(recorded_name, actual, expected, tolerance);
    } else {
      report.compare(recorded_name, actual, expected, tolerance);
    }
  }
}

// --- LPIPS -----------------------------------------------------------------------------------------

constexpr double lpips_tolerance = 1e-4;  // relative

sr::LpipsNet lpips_net(const std::string& name) {
  if (name == "vgg") return sr::LpipsNet::vgg;
  return name == "squeeze" ? sr::LpipsNet::squeeze : sr::LpipsNet::alex;
}

void compare_features(const Case& recorded, Report& report, const sr::Lpips& lpips, size_t pair) {
  std::vector<double> sizes;
  for (const Tensor& map : lpips.features(image(recorded, fmt::format("a{}", pair))))
    sizes.push_back(map.to(at::kDouble).square().mean().sqrt().item<double>());
  const std::string name = fmt::format("feature_rms{}", pair);
  report.compare_relative(name, torch::tensor(sizes, at::kDouble), recorded.out(name), lpips_tolerance);
}

void run_lpips(const Case& recorded, Report& report) {
  const at::NoGradGuard no_grad;
  const std::string net = recorded.info().at("net");
  const auto linear = trained(recorded, "lpips/" + net + ".safetensors", report);
  if (!linear) return;
  const auto version =
      recorded.info().at("version") == "0.0" ? sr::LpipsVersion::v0_0 : sr::LpipsVersion::v0_1;
  const sr::Lpips lpips(lpips_net(net), version, recorded.parameters(), *linear);
  std::vector<Tensor> layers;
  std::vector<double> totals;
  for (size_t i = 0; i < pairs(recorded); ++i) {
    const Tensor a = image(recorded, fmt::format("a{}", i)), b = image(recorded, fmt::format("b{}", i));
    compare_features(recorded, report, lpips, i);
    layers.push_back(torch::tensor(lpips.layers(a, b), at::kDouble));
    totals.push_back(lpips(a, b));
    if (i > 0) continue;
    report.compare_relative("spatial0", lpips.spatial(a, b), recorded.out("spatial0"), lpips_tolerance);
  }
  compare_both(recorded, report, "layers", at::stack(layers), lpips_tolerance, true);
  compare_both(recorded, report, "total", torch::tensor(totals, at::kDouble), lpips_tolerance, true);
}

// --- DISTS -----------------------------------------------------------------------------------------

constexpr double dists_tolerance = 1e-5;

/// The window of the pooling, by what it makes of a single 1.
Tensor pooling_window() {
  Tensor window = at::empty({3, 3});
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t j = 0; j < 3; ++j) {
      const Tensor point = at::zeros({1, 1, 5, 5});
      point[0][0][1 + i][1 + j] = 1;
      window[i][j] = sr::l2_pool(point)[0][0][1][1].square();
    }
  }
  return window;
}

void run_dists(const Case& recorded, Report& report) {
  const at::NoGradGuard no_grad;
  const auto weights = trained(recorded, "dists/dists.safetensors", report);
  if (!weights) return;
  const sr::Dists dists(recorded.parameters(), *weights);
  std::vector<double> scores;
  for (size_t i = 0; i < pairs(recorded); ++i)
    scores.push_back(dists(image(recorded, fmt::format("a{}", i)), image(recorded, fmt::format("b{}", i))));
  compare_both(recorded, report, "score", torch::tensor(scores, at::kDouble), dists_tolerance, false);
  report.compare("l2pool_filter", pooling_window(), recorded.out("l2pool_filter"), 1e-6);
  const Tensor a = image(recorded, "big_a"), b = image(recorded, "big_b");
  const Tensor shrunk = sr::dists_resized(a);
  report.compare_integers("big_a_resized", shrunk[0].permute({1, 2, 0}).mul(255).round().to(at::kByte),
                          recorded.out("big_a_resized"), 0, 0);
  report.compare("big_score", dists(shrunk, sr::dists_resized(b)), recorded.out("big_score").item<double>(),
                 dists_tolerance);
  report.compare("big_score_no_resize", dists(a, b), recorded.out("big_score_no_resize").item<double>(),
                 dists_tolerance);
}

}  // namespace

void add_perceptual_handlers(Handlers& handlers) {
  handlers["lpips"] = run_lpips;
  handlers["dists"] = run_dists;
}

}  // namespace golden
