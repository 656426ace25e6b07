#include "degrade/apply.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "degrade/diffjpeg.h"
#include "degrade/filter.h"
#include "degrade/interpolate.h"
#include "degrade/jpeg_codec.h"
#include "degrade/kernels.h"
#include "degrade/noise.h"
#include "degrade/opencv_resize.h"
#include "degrade/pil_resize.h"
#include "image/resize.h"

namespace sr {
namespace {

template <class Op>
const Op& as(const Operation& operation) {
  return std::get<Op>(operation);
}

RandomStream noise_stream(std::int64_t key) { return {static_cast<std::uint64_t>(key), "", "noise"}; }

/// Normals of deviation 1: [1,3,H,W] or grey [1,1,H,W], on the image's device.
Tensor noise_like(const Tensor& image, bool gray, std::int64_t key) {
  const auto normals = at::empty({1, gray ? 1 : 3, image.size(2), image.size(3)}, at::kFloat);
  noise_stream(key).fill_normal(normals);
  return normals.to(image.device());
}

// --- whole batches -----------------------------------------------------------------------------------------

Tensor run(const Tensor& images, std::span<const Operation>, const Sharpen& first) {
  return usm_sharp(images, first.usm);
}

Tensor run(const Tensor& images, std::span<const Operation> all, const Blur&) {
  int size = 0;
  for (const auto& one : all) size = std::max(size, as<Blur>(one).size);
  std::vector<Tensor> kernels;
  for (const auto& one : all) kernels.push_back(padded_kernel(kernel_of(as<Blur>(one)), size));
  return filter2d(images, at::stack(kernels).to(images.device(), at::kFloat));
}

Tensor by_factor(const Tensor& images, const Resize& resize) {
  switch (resize.mode) {
    case ResizeMode::area: return interpolate_by(images, resize.factor, Interpolation::area);
    case ResizeMode::bilinear: return interpolate_by(images, resize.factor, Interpolation::bilinear);
    case ResizeMode::bicubic: return interpolate_by(images, resize.factor, Interpolation::bicubic);
    case ResizeMode::matlab: return imresize(images.cpu(), resize.factor).clamp_(0, 1).to(images.device());
    default: throw Error(fmt::format("{} takes a size, not a factor", name_of(resize.mode)));
  }
}

Tensor to_size(const Tensor& images, const Resize& resize) {
  const auto [height, width] = std::pair(resize.height, resize.width);
  if (height < 1 || width < 1) throw Error("a resize without a size or factor");
  switch (resize.mode) {
    case ResizeMode::area: return interpolate_to(images, height, width, Interpolation::area);
    case ResizeMode::bilinear: return interpolate_to(images, height, width, Interpolation::bilinear);
    case ResizeMode::bicubic: return interpolate_to(images, height, width, Interpolation::bicubic);
    case ResizeMode::cv_linear:
      return opencv_resize(images, height, width, OpenCvInterpolation::linear).clamp_(0, 1);
    case ResizeMode::cv_cubic:
      return opencv_resize(images, height, width, OpenCvInterpolation::cubic).clamp_(0, 1);
    case ResizeMode::cv_area:
      return opencv_resize(images, height, width, OpenCvInterpolation::area).clamp_(0, 1);
    case ResizeMode::matlab: break;
  }
  return imresize_to(images.cpu(), height, width).clamp_(0, 1).to(images.device());
}

Tensor run(const Tensor& images, std::span<const Operation>, const Resize& resize) {
  const double pixels =
      resize.factor > 0 ? static_cast<double>(images.size(2) * images.size(3)) * resize.factor * resize.factor
                        : static_cast<double>(resize.height) * static_cast<double>(resize.width);
  if (!(pixels <= kMostPixels)) throw Error("the recipe resizes to too large a picture");
  return resize.factor > 0 ? by_factor(images, resize) : to_size(images, resize);
}

Tensor run(const Tensor& images, std::span<const Operation> all, const DiffJpeg&) {
  std::vector<double> qualities;
  for (const auto& one : all) qualities.push_back(as<DiffJpeg>(one).quality);
  return diff_jpeg(images.clamp(0, 1), qualities);
}

Tensor run(const Tensor& images, std::span<const Operation>, const Round&) {
  return (images * 255).round_().clamp_(0, 255).div_(255);
}

// --- one picture after the other ---------------------------------------------------------------------------

Tensor run_one(const Tensor& image, const Subsample& op) {
  auto kernel = shifted_kernel(gaussian_kernel({op.size, op.sigma, op.sigma}), op.scale);
  kernel = (kernel / kernel.sum()).flip({0, 1});  // ndimage.convolve flips it
  return decimated(filter2d(image, kernel.to(image.device(), at::kFloat)), op.scale).clamp(0, 1);
}

Tensor run_one(const Tensor& image, const GaussianNoise& op) {
  return with_gaussian_noise(image, op.sigma, op.gray, noise_stream(op.key));
}

Tensor run_one(const Tensor& image, const PoissonNoise& op) {
  return with_poisson_noise(image, op.scale, op.gray, noise_stream(op.key));
}

Tensor run_one(const Tensor& image, const SpeckleNoise& op) {
  return add_speckle_noise(image, noise_like(image, op.gray, op.key) * (op.sigma / 255));
}

Tensor run_one(const Tensor& image, const CorrelatedNoise& op) {
  return add_noise(image, correlated(noise_like(image, false, op.key), op.covariance));
}

Tensor run_one(const Tensor& image, const PhotonNoise& op) {
  const auto quantised = op.gray ? bsrgan_gray_quantised(image) : bsrgan_quantised(image);
  const auto rates = (quantised * op.photons).cpu().contiguous();
  const auto counts = at::empty_like(rates);
  noise_stream(op.key).fill_poisson(counts, rates);
  return add_bsrgan_poisson(image, op.photons, counts.to(image.device()));
}

Tensor run_one(const Tensor& image, const CameraNoise& op) {
  return isp_noise(image, op.isp, noise_like(image, true, op.key));
}

Tensor run_one(const Tensor& image, const CodecJpeg& op) { return codec_jpeg(image, op.quality); }

template <class Op>
requires requires(const Tensor& image, const Op& op) { run_one(image, op); }
Tensor run(const Tensor& images, std::span<const Operation> all, const Op& first) {
  if (all.size() == 1) return run_one(images, first);
  std::vector<Tensor> results;
  for (size_t i = 0; i < all.size(); i++) {
    results.push_back(run_one(images.narrow(0, static_cast<std::int64_t>(i), 1), as<Op>(all[i])));
  }
  return at::cat(results);
}

// --- several recipes ---------------------------------------------------------------------------------------

bool same_resize(const Resize& a, const Resize& b) {
  return a.mode == b.mode && a.factor == b.factor && a.height == b.height && a.width == b.width;
}

bool same_steps(const Recipe& a, const Recipe& b) {
  return std::equal(a.steps.begin(), a.steps.end(), b.steps.begin(), b.steps.end(),
                    [](const Step& x, const Step& y) { return together(x.operation, y.operation); });
}

Tensor run_steps(const Tensor& hr, std::span<const Recipe> recipes) {
  auto images = hr;
  std::vector<Operation> operations(recipes.size());
  for (size_t i = recipes.front().cut.sharpen ? 1 : 0; i < recipes.front().steps.size(); i++) {
    for (size_t n = 0; n < recipes.size(); n++) operations[n] = recipes[n].steps[i].operation;
    images = apply_step(images, operations);
  }
  return images.clamp(0, 1);
}

}  // namespace

void check_size(std::int64_t height, std::int64_t width, const Recipe& recipe) {
  if (height != recipe.height || width != recipe.width) {
    throw Error(fmt::format("the picture has {}x{} pixels, its recipe is for {}x{}", width, height,
                            recipe.width, recipe.height));
  }
  const auto& cut = recipe.cut;
  const auto h = cut.resize > 0 ? cut.resize : height, w = cut.resize > 0 ? cut.resize : width;
  const bool inside = cut.top >= 0 && cut.left >= 0 && cut.height > 0 && cut.width > 0 &&
                      cut.top <= h - cut.height && cut.left <= w - cut.width;
  if (!inside) throw Error("the recipe's cut reaches beyond the picture");
}

Tensor kernel_of(const Blur& blur) {
  const KernelAxes axes{blur.size, blur.sigma_x, blur.sigma_y, blur.rotation};
  using enum KernelKind;
  switch (blur.kernel) {
    case iso:
    case aniso: return gaussian_kernel(axes);
    case generalized_iso:
    case generalized_aniso: return generalized_gaussian_kernel(axes, blur.beta);
    case plateau_iso:
    case plateau_aniso: return plateau_kernel(axes, blur.beta);
    case pulse: return at::ones({1, 1}, at::kDouble);
    case sinc: break;
  }
  return sinc_kernel(blur.size, blur.cutoff);
}

bool together(const Operation& a, const Operation& b) {
  if (a.index() != b.index()) return false;
  if (const auto* resize = std::get_if<Resize>(&a)) return same_resize(*resize, as<Resize>(b));
  if (const auto* subsample = std::get_if<Subsample>(&a)) return subsample->scale == as<Subsample>(b).scale;
  if (const auto* sharpen = std::get_if<Sharpen>(&a)) return sharpen->usm == as<Sharpen>(b).usm;
  return true;
}

Tensor apply_step(const Tensor& images, std::span<const Operation> operations) {
  return std::visit([&](const auto& first) { return run(images, operations, first); }, operations.front());
}

Tensor cut_hr(const Tensor& picture, const Recipe& recipe) {
  check_size(picture.size(2), picture.size(3), recipe);
  const auto& cut = recipe.cut;
  auto hr = cut.resize > 0 ? pil_lanczos(picture, cut.resize, cut.resize) : picture;
  hr = hr.narrow(2, cut.top, cut.height).narrow(3, cut.left, cut.width);
  if (cut.flip) hr = hr.flip({3});
  hr = hr.contiguous();
  if (!cut.sharpen) return hr;
  if (recipe.steps.empty() || !std::holds_alternative<Sharpen>(recipe.steps.front().operation)) {
    throw Error("the recipe's HR half is sharpened, but its first step does not sharpen");
  }
  return usm_sharp(hr, as<Sharpen>(recipe.steps.front().operation).usm);
}

Tensor degrade(const Tensor& hr, std::span<const Recipe> recipes) {
  if (static_cast<size_t>(hr.size(0)) != recipes.size() || recipes.empty()) {
    throw Error(fmt::format("{} recipes for {} pictures", recipes.size(), hr.size(0)));
  }
  const bool alike = std::all_of(recipes.begin(), recipes.end(), [&](const Recipe& recipe) {
    return recipe.cut.sharpen == recipes.front().cut.sharpen && same_steps(recipe, recipes.front());
  });
  if (alike) return run_steps(hr, recipes);
  std::vector<Tensor> results;
  for (size_t i = 0; i < recipes.size(); i++) {
    results.push_back(run_steps(hr.narrow(0, static_cast<std::int64_t>(i), 1), recipes.subspan(i, 1)));
  }
  return at::cat(results);
}

}  // namespace sr
