// FID: Inception's features, Frechet's distance, KID. Tolerances: ../shared/golden/metrics/README.md.

#include <fmt/format.h>

#include "case.h"
#include "quality/fid.h"

namespace golden {
namespace {

constexpr double feature_tolerance = 1e-4;
constexpr double input_tolerance = 1e-5;
constexpr double distance_tolerance = 1e-5;  // relative
/// Where the distance is 0 the reference itself answers 3e-9.
constexpr double distance_of_equals = 1e-8;

/// Recorded pictures are uint8 H x W x 3; measures take [1,3,H,W] in [0,1].
Tensor image(const Case& recorded, int64_t index) {
  const Tensor picture = recorded.in(fmt::format("img{}", index));
  return picture.permute({2, 0, 1}).unsqueeze(0).to(at::kFloat).div(255).contiguous();
}

/// The recorded corner [C,H,W] of [1,C',H',W'].
void compare_corner(const Case& recorded, Report& report, const std::string& name, const Tensor& actual,
                    double tolerance) {
  const Tensor expected = recorded.out(name);
  Tensor corner = actual[0];
  for (int64_t d = 0; d < 3; ++d) corner = corner.slice(d, 0, expected.size(d));
  report.compare(name, corner, expected, tolerance);
}

Tensor all_features(const Case& recorded, const sr::FidFeatures& features) {
  std::vector<Tensor> rows;
  for (int64_t i = 0; recorded.has(fmt::format("in.img{}", i)); ++i)
    rows.push_back(features(image(recorded, i)));
  return at::stack(rows);
}

void run_inception(const Case& recorded, Report& report) {
  const at::NoGradGuard no_grad;
  const StateDict weights = recorded.parameters();
  const sr::FidFeatures legacy(weights), clean(weights, sr::FidResize::clean);
  const Tensor first = image(recorded, 0), input = legacy.input(first);
  compare_corner(recorded, report, "legacy_resized_head", (input + 1) / 2, input_tolerance);
  // on the scale 0..255 there
  compare_corner(recorded, report, "clean_resized_head", clean.input(first) * 128 + 128,
                 128 * input_tolerance);
  const auto maps = legacy.network().maps(input);
  for (size_t i = 0; i < 3; ++i)
    compare_corner(recorded, report, fmt::format("block{}_head", i), maps.at(i), feature_tolerance);
  const Tensor features = all_features(recorded, legacy);
  report.compare("pool3_legacy_pytorch", features, recorded.out("pool3_legacy_pytorch"), feature_tolerance);
  report.compare("pool3_legacy_pytorch_f64", features, recorded.out("pool3_legacy_pytorch_f64"),
                 feature_tolerance);
  report.compare("pool3_clean", all_features(recorded, clean), recorded.out("pool3_clean"),
                 feature_tolerance);
}

sr::FidStatistics statistics(const Case& recorded, const std::string& name, int side) {
  return {recorded.in(fmt::format("{}.mu{}", name, side)),
          recorded.in(fmt::format("{}.sigma{}", name, side))};
}

/// Every distance is recorded twice: by scipy's sqrtm (`name`) and by clipped eigenvalues (`name_eig`).
void run_frechet(const Case& recorded, Report& report) {
  for (const std::string& name : recorded.outputs()) {
    const double expected = recorded.out(name).item<double>();
    double actual = 0;
    if (name == "kid") {
      actual = sr::kid(recorded.in("kid.f1"), recorded.in("kid.f2"));
    } else {
      const std::string inputs = name.substr(0, name.find("_eig"));
      const auto a = statistics(recorded, inputs, 1), b = statistics(recorded, inputs, 2);
      actual = sr::frechet_distance(a, b);
      report.compare(name + ", the other way round", sr::frechet_distance(b, a), actual,
                     distance_tolerance * actual + distance_of_equals);
    }
    report.compare(name, actual, expected, distance_tolerance * std::abs(expected) + distance_of_equals);
  }
}

}  // namespace

void add_fid_handlers(Handlers& handlers) {
  handlers["fid_inception"] = run_inception;
  handlers["frechet"] = run_frechet;
}

}  // namespace golden
