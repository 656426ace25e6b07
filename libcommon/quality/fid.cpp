#include "quality/fid.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "quality/image_check.h"
#include "weights/npz.h"

namespace sr {
namespace {

constexpr size_t kRowsAtOnce = 512;  // of features in float64
constexpr std::array<int64_t, 2> kSides = {Inception::side, Inception::side};

/// pytorch-fid's graph has 1008 classes.
bool is_torchvision(const StateDict& weights) {
  const auto classifier = weights.find("fc.weight");
  return classifier != weights.end() && classifier->second.size(0) == 1000;
}

Tensor legacy_input(const Tensor& image) {
  const Tensor resized = at::upsample_bilinear2d(image, kSides, /*align_corners=*/false);
  return resized.mul(2).sub_(1);
}

Tensor clean_input(const Tensor& image) {
  const Tensor levels = image.to(at::kDouble).mul_(255).round_();
  const bool fits = image.size(2) == Inception::side && image.size(3) == Inception::side;
  // LibTorch's antialiased bicubic is PIL's (a = -0.5, windows cut off at the border)
  const Tensor resized = fits ? levels : at::_upsample_bicubic2d_aa(levels, kSides, /*align_corners=*/false);
  return resized.clamp(0, 255).sub_(128).div_(128).to(at::kFloat);
}

void check_features(const std::vector<Tensor>& features) {
  if (features.size() < 2)
    throw Error(fmt::format("FID's statistics need two images at least, not {}", features.size()));
  for (const Tensor& row : features) {
    if (row.dim() != 1 || row.size(0) != features.front().size(0))
      throw Error("FID's statistics need features of the same length from every image");
  }
}

Tensor table(const std::vector<Tensor>& features, size_t begin) {
  const size_t count = std::min(kRowsAtOnce, features.size() - begin);
  return at::stack(at::TensorList(features).slice(begin, count)).to(at::kCPU, at::kDouble);
}

/// A statistic of a file, as float64. Throws Error where it is missing.
Tensor statistic(const StateDict& arrays, const std::string& name) {
  const auto found = arrays.find(name);
  if (found == arrays.end())
    throw Error(fmt::format("holds no array '{}', so these are no FID statistics", name));
  if (!found->second.is_floating_point())
    throw Error(fmt::format("'{}' holds {}, not floats", name, c10::toString(found->second.scalar_type())));
  const Tensor values = found->second.to(at::kDouble);
  if (!values.isfinite().all().item<bool>())
    throw Error(fmt::format("'{}' holds values that are not finite", name));
  return values;
}

/// Throws Error where `sigma`, which is square, can be no covariance.
void check_covariance(const Tensor& sigma) {
  constexpr double rounding = 1e-4;  // of sums of thousands in float32
  const double bound = rounding * sigma.abs().max().item<double>();
  if ((sigma - sigma.t()).abs().max().item<double>() > bound)
    throw Error("'sigma' is not symmetric, so it is no covariance");
  if (sigma.diagonal().min().item<double>() < -bound)
    throw Error("'sigma' has a negative variance on its diagonal, so it is no covariance");
}

FidStatistics statistics_of(const StateDict& arrays) {
  const FidStatistics found{statistic(arrays, "mu"), statistic(arrays, "sigma")};
  if (found.mu.dim() != 1 || found.mu.numel() == 0)
    throw Error(fmt::format("'mu' is [{}], not one mean a feature", fmt::join(found.mu.sizes(), ",")));
  const int64_t features = found.mu.size(0);
  if (found.sigma.sizes() != at::IntArrayRef{features, features}) {
    throw Error(fmt::format("'sigma' is [{}], not the [{},{}] that 'mu' asks for",
                            fmt::join(found.sigma.sizes(), ","), features, features));
  }
  check_covariance(found.sigma);
  return found;
}

}  // namespace

FidFeatures::FidFeatures(const StateDict& inception, FidResize resize)
    : network_(inception), resize_(resize), classifies_(is_torchvision(inception)) {}

Tensor FidFeatures::input(const Tensor& image) const {
  return resize_ == FidResize::legacy ? legacy_input(image) : clean_input(image);
}

Tensor FidFeatures::operator()(const Tensor& image) const {
  check_image(image, "FID");
  const at::NoGradGuard no_grad;
  return network_.pooled(input(image))[0];
}

std::string FidFeatures::describe() const {
  return fmt::format(
      "FID ({}): RGB, {} to 299x299, to [-1,1]; Inception v3 {}, pool3, 2048 features, float32",
      resize_ == FidResize::legacy ? "pytorch-fid" : "clean-fid",
      resize_ == FidResize::legacy ? "bilinear without antialiasing"
                                   : "PIL's antialiased bicubic in float, of 8-bit values,",
      classifies_ ? "of torchvision (not comparable with published FID)" : "of 2015-12-05");
}

FidStatistics fid_statistics(const std::vector<Tensor>& features) {
  check_features(features);
  const int64_t length = features.front().size(0);
  const auto count = static_cast<double>(features.size());
  Tensor mu = at::zeros({length}, at::kDouble), sigma = at::zeros({length, length}, at::kDouble);
  for (size_t begin = 0; begin < features.size(); begin += kRowsAtOnce) mu += table(features, begin).sum(0);
  mu /= count;
  for (size_t begin = 0; begin < features.size(); begin += kRowsAtOnce) {
    const Tensor centred = table(features, begin).sub_(mu);
    sigma.addmm_(centred.t(), centred);
  }
  sigma /= count - 1;
  if (!mu.isfinite().all().item<bool>()) throw Error("FID's features hold values that are no numbers");
  return {mu, sigma};
}

FidStatistics load_fid_statistics(const fs::path& npz) {
  const SharedBytes file = map_file(npz);
  return naming(printable(npz.string()), [&] {
    if (!is_npz(file)) throw Error("this is no .npz file of NumPy's");
    return statistics_of(read_npz(file, {"mu", "sigma"}));
  });
}

void save_fid_statistics(const fs::path& npz, const FidStatistics& statistics) {
  write_npz(npz, {{"mu", statistics.mu.to(at::kDouble)}, {"sigma", statistics.sigma.to(at::kDouble)}});
}

}  // namespace sr
