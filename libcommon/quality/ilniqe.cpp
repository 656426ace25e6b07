#include "quality/ilniqe.h"

#include <algorithm>
#include <c10/util/accumulate.h>
#include <cmath>
#include <fmt/format.h>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/simd.h"
#include "quality/asymmetric_gaussian.h"
#include "quality/natural_scene.h"
#include "quality/reference_resize.h"
#include "quality/weibull.h"

namespace sr {
namespace {

constexpr std::int64_t kSide = 524;        // resized to
constexpr std::int64_t kBlock = 84;        // at full size
constexpr std::int64_t kBlocksAcross = 6;  // both ways
constexpr std::int64_t kBlocks = kBlocksAcross * kBlocksAcross;
constexpr std::int64_t kCropped = kBlock * kBlocksAcross;
constexpr std::int64_t kOpponents = 3, kFilters = 12;

// Columns of a scale's features. A fit takes two.
constexpr std::int64_t kOpponentGradients = kSceneFeatures;                 // Weibull
constexpr std::int64_t kColours = kOpponentGradients + 2 * kOpponents;      // mean and variance
constexpr std::int64_t kOpponentDerivatives = kColours + 2 * kOpponents;    // generalised Gaussian
constexpr std::int64_t kResponses = kOpponentDerivatives + 4 * kOpponents;  // real and imaginary
constexpr std::int64_t kResponseDerivatives = kResponses + 4 * kFilters;
constexpr std::int64_t kResponseGradients = kResponseDerivatives + 8 * kFilters;  // Weibull
constexpr std::int64_t kFeatures = kResponseGradients + 4 * kFilters;
constexpr std::int64_t kAllFeatures = 2 * kFeatures;
constexpr std::int64_t kComponents = 430;
constexpr double kMostFeature = 10000;

// --- colours -------------------------------------------------------------------------------------

/// Weights that the source holds in float32.
Tensor as_single(std::initializer_list<double> weights) {
  return at::tensor(std::vector<double>(weights)).to(at::kFloat).to(at::kDouble);
}

/// Opponent colours [3, H, W].
Tensor opponents(const Tensor& rgb) {
  const Tensor weights = as_single({0.3, 0.04, -0.35, 0.34, -0.6, 0.17, 0.06, 0.63, 0.27}).view({3, 3});
  return at::matmul(weights, rgb.flatten(1)).view_as(rgb);
}

/// Blocks of [C, H, W], column after column: [blocks, C, block, block].
Tensor blocks_of(const Tensor& planes, std::int64_t block) {
  return planes.unfold(1, block, block).unfold(2, block, block).permute({2, 1, 0, 3, 4}).flatten(0, 1);
}

/// Mean and variance of intensity, blue-yellow and red-green of the logarithmic colours, [blocks, 6].
Tensor colour_moments(const Tensor& rgb, std::int64_t block) {
  Tensor logs = at::log(rgb + 1e-5);
  // Rows first: their means do not depend on the number of threads.
  logs.sub_(logs.mean(2).mean(1).view({3, 1, 1}));
  const Tensor red = logs[0], green = logs[1], blue = logs[2];
  const Tensor colours =
      at::stack({(red + green + blue) / std::sqrt(3.0), (red + green - 2 * blue) / std::sqrt(6.0),
                 (red - green) / std::sqrt(2.0)});
  const auto [variance, mean] =
      at::var_mean(blocks_of(colours, block), at::IntArrayRef{2, 3}, /*unbiased=*/true);
  return at::stack({mean, variance}, 2).flatten(1);
}

// --- half the size -------------------------------------------------------------------------------

constexpr std::int64_t kLowPass = 6;  // taps both ways

SR_VECTORISED void add_weighted(const double* row, double weight, std::int64_t n, double* sums) {
  for (std::int64_t x = 0; x < n; ++x) sums[x] += weight * row[x];
}

/// Every other pixel of [C, H, W] (even sizes) under a 6 x 6 Gaussian of sigma 0.9, edges replicated.
Tensor halved(const Tensor& planes) {
  const Tensor window = gaussian_window(kLowPass, 0.9).to(at::kFloat).to(at::kDouble);
  const auto* weights = window.data_ptr<double>();
  const std::int64_t height = planes.size(1), width = planes.size(2), padded_width = width + kLowPass - 1;
  constexpr std::int64_t before = (kLowPass - 1) / 2, after = kLowPass - 1 - before;
  const Tensor padded = at::replication_pad2d(planes, {before, after, before, after});
  const auto* from = padded.data_ptr<double>();
  Tensor small = at::empty({planes.size(0), height / 2, width / 2}, planes.options());
  auto* to = small.data_ptr<double>();
  at::parallel_for(0, planes.size(0) * height / 2, 16, [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> sums(static_cast<std::size_t>(width));
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t plane = row / (height / 2), y = row % (height / 2);
      const double* corner = from + (plane * (height + kLowPass - 1) + 2 * y) * padded_width;
      std::fill(sums.begin(), sums.end(), 0);
      for (std::int64_t i = 0; i < kLowPass * kLowPass; ++i)
        add_weighted(corner + i / kLowPass * padded_width + i % kLowPass, weights[i], width, sums.data());
      for (std::int64_t x = 0; x < width / 2; ++x) to[row * (width / 2) + x] = sums[2 * x];
    }
  });
  return small;
}

// --- fits ----------------------------------------------------------------------------------------

/// Where the fits to a plane and its derivatives go, as columns of the features; none for the plane's own:
/// -1.
struct Columns {
  std::int64_t values, derivatives;
};

/// Squared gradients of the blocks of several planes, in rows that fit_weibull takes.
struct SquaredGradients {
  SquaredGradients(std::int64_t planes, std::int64_t samples)
      : count(planes), values(at::empty({kBlocks * planes, samples}, at::kFloat)) {}

  float* row(std::int64_t block, std::int64_t plane) {
    return values.data_ptr<float>() + (block * count + plane) * values.size(1);
  }
  /// [blocks, 2 * planes], once.
  Tensor fits() { return fit_weibull(values.log_().mul_(0.5)).view({kBlocks, 2 * count}); }

  std::int64_t count;
  Tensor values;
};

SR_VECTORISED void square_gradient(const double* across, const double* down, std::int64_t n, float* squares) {
  for (std::int64_t i = 0; i < n; ++i)
    squares[i] = static_cast<float>(across[i] * across[i] + down[i] * down[i] + 1e-8);
}

/// Fits planes block by block; holds the memory of one thread.
class PlaneFits {
 public:
  PlaneFits(const GaussianDerivative& derivative, std::int64_t block)
      : derivative_(derivative),
        block_(block),
        side_(block * kBlocksAcross),
        band_(2 * static_cast<std::size_t>(block * side_)),
        gathered_(static_cast<std::size_t>(block * block)) {}

  /// `features` [blocks, kFeatures] and row `index` of every block's `gradients`.
  void fit(const double* plane, Columns columns, double* features, SquaredGradients& gradients,
           std::int64_t index) {
    double *across = band_.data(), *down = across + block_ * side_;
    for (std::int64_t y = 0; y < kBlocksAcross; ++y) {
      const std::int64_t top = y * block_;
      derivative_.rows(plane, side_, side_, top, top + block_, across, down);
      for (std::int64_t x = 0; x < kBlocksAcross; ++x) {
        const std::int64_t number = x * kBlocksAcross + y, left = x * block_;
        double* row = features + number * kFeatures;
        if (columns.values >= 0) write(plane + top * side_ + left, row + columns.values);
        write(across + left, row + columns.derivatives);
        write(down + left, row + columns.derivatives + 2);
        float* squares = gradients.row(number, index);
        for (std::int64_t i = 0; i < block_; ++i) {
          const std::int64_t at = i * side_ + left;
          square_gradient(across + at, down + at, block_, squares + i * block_);
        }
      }
    }
  }

 private:
  void write(const double* corner, double* feature) {
    for (std::int64_t i = 0; i < block_; ++i)
      std::copy_n(corner + i * side_, block_, gathered_.data() + i * block_);
    const AsymmetricGaussian fit = fit_asymmetric_gaussian(gathered_.data(), block_ * block_);
    feature[0] = fit.shape;
    feature[1] = fit.scale();
  }

  GaussianDerivative derivative_;
  std::int64_t block_, side_;
  std::vector<double> band_, gathered_;
};

void put(Tensor& features, std::int64_t column, const Tensor& values) {
  features.narrow(1, column, values.size(1)).copy_(values);
}

void fit_opponents(const Tensor& planes, const PlaneFits& fits, std::int64_t block, Tensor& features) {
  SquaredGradients gradients(kOpponents, block * block);
  const auto* plane = planes.data_ptr<double>();
  auto* out = features.data_ptr<double>();
  at::parallel_for(0, kOpponents, 1, [&](std::int64_t begin, std::int64_t end) {
    PlaneFits own = fits;
    for (std::int64_t i = begin; i < end; ++i)
      own.fit(plane + i * planes.stride(0), {-1, kOpponentDerivatives + 4 * i}, out, gradients, i);
  });
  put(features, kOpponentGradients, gradients.fits());
}

void fit_responses(const Tensor& plane, const LogGaborBank& bank, const PlaneFits& fits, std::int64_t block,
                   Tensor& features) {
  SquaredGradients gradients(2 * kFilters, block * block);
  const Tensor spectrum = at::fft_fft2(plane);
  at::parallel_for(0, kFilters, 1, [&](std::int64_t begin, std::int64_t end) {
    const at::InferenceMode guard;
    PlaneFits own = fits;
    for (std::int64_t filter = begin; filter < end; ++filter) {
      const Tensor parts = bank.response(spectrum, filter);
      for (std::int64_t i = 2 * filter; i < 2 * filter + 2; ++i) {
        own.fit(parts[i % 2].data_ptr<double>(), {kResponses + 2 * i, kResponseDerivatives + 4 * i},
                features.data_ptr<double>(), gradients, i);
      }
    }
  });
  put(features, kResponseGradients, gradients.fits());
}

// --- the image -----------------------------------------------------------------------------------

/// [3, kCropped, kCropped] in float64, 0..255.
Tensor prepared(const Tensor& image) {
  if (image.dim() != 4 || image.size(0) != 1 || (image.size(1) != 1 && image.size(1) != 3) ||
      image.numel() == 0 || !image.is_floating_point())
    throw Error("IL-NIQE needs an image of one or three channels in float32 [1, C, H, W]");
  const Tensor rgb = image[0].detach().to(at::kCPU, at::kFloat).mul(255).round_();
  if (!std::isfinite(rgb.sum().item<double>())) throw Error("IL-NIQE needs an image of finite values");
  const auto [least, most] = at::aminmax(rgb.flatten(1), 1);
  if (least.equal(most)) throw Error("IL-NIQE cannot judge an image of one colour");
  const Tensor square =
      resized_as_reference(rgb, pyiqa_axis(rgb.size(1), kSide), pyiqa_axis(rgb.size(2), kSide))
          .clamp_(0, 255);
  return square.slice(1, 0, kCropped).slice(2, 0, kCropped).expand({3, -1, -1}).to(at::kDouble).contiguous();
}

// --- parameters ----------------------------------------------------------------------------------

Tensor parameter(const StateDict& parameters, const std::string& key,
                 const std::vector<std::int64_t>& shape) {
  const auto found = parameters.find(key);
  if (found == parameters.end()) throw Error(fmt::format("the IL-NIQE model lacks {}", key));
  if (found->second.numel() != c10::multiply_integers(shape)) {
    throw Error(fmt::format("the IL-NIQE model's {} has {} values instead of {}", key, found->second.numel(),
                            c10::multiply_integers(shape)));
  }
  return found->second.to(at::kCPU, at::kDouble).reshape(shape);
}

LogGaborOptions filters_of_scale(double scale) {
  LogGaborOptions options;
  options.least_wavelength = 2.4 / std::pow(scale, 0.87);
  return options;
}

GaussianDerivative derivative_of_scale(double scale) {
  return GaussianDerivative(1.66 / std::pow(scale, 0.28));
}

}  // namespace

StateDict ilniqe_parameters(const StateDict& checkpoint) {
  if (checkpoint.count("templateModel.0") == 0) return checkpoint;
  StateDict parameters;
  const auto take = [&](const char* cell, const char* name) {
    const auto found = checkpoint.find(cell);
    if (found != checkpoint.end()) parameters[name] = found->second;
  };
  take("templateModel.0", "mu_pris_param");
  take("templateModel.1", "cov_pris_param");
  take("templateModel.2", "mean_of_sample_data");
  take("templateModel.3", "principle_vectors");
  for (const auto* vector : {"mu_pris_param", "mean_of_sample_data"}) {
    const auto found = parameters.find(vector);
    if (found != parameters.end()) found->second = found->second.flatten();
  }
  return parameters;
}

IlNiqe::IlNiqe(const StateDict& parameters)
    : model_(parameter(parameters, "mu_pris_param", {kComponents}),
             parameter(parameters, "cov_pris_param", {kComponents, kComponents}), "the IL-NIQE model"),
      components_(parameter(parameters, "principle_vectors", {kAllFeatures, kComponents})),
      centre_(parameter(parameters, "mean_of_sample_data", {kAllFeatures})),
      filters_{{{kBlock, derivative_of_scale(1), LogGaborBank(kCropped, filters_of_scale(1))},
                {kBlock / 2, derivative_of_scale(2), LogGaborBank(kCropped / 2, filters_of_scale(2))}}} {}

Tensor IlNiqe::features(const Tensor& image) const {
  const Tensor window = gaussian_window(5, 5.0 / 6).to(at::kFloat).to(at::kDouble);
  Tensor rgb = prepared(image);
  std::vector<Tensor> scales;
  for (const Filters& filters : filters_) {
    if (!scales.empty()) rgb = halved(rgb);
    const Tensor colours = opponents(rgb);
    const PlaneFits fits(filters.derivative, filters.block);
    Tensor features = at::empty({kBlocks, kFeatures}, at::kDouble);
    put(features, 0,
        scene_features(normalised_contrast(colours[2], window).values, filters.block, filters.block));
    put(features, kColours, colour_moments(rgb, filters.block));
    fit_opponents(colours, fits, filters.block, features);
    fit_responses(colours[2], filters.bank, fits, filters.block, features);
    scales.push_back(features);
  }
  return at::cat(scales, 1);
}

double IlNiqe::operator()(const Tensor& image) const {
  const Tensor clipped = features(image).clamp_max(kMostFeature);
  const Tensor projected = at::matmul(clipped - centre_, components_), whole = whole_rows(projected);
  if (whole.size(0) == 0) throw Error("IL-NIQE finds no block with texture in this image");
  const Tensor covariance = whole.size(0) == 1 ? at::zeros({}, at::kDouble) : column_covariance(whole);
  const Tensor rows = at::where(projected.isnan(), nan_mean(projected), projected);
  return model_.distances(rows, covariance).mean().item<double>();
}

std::string IlNiqe::describe() const {
  return fmt::format(
      "IL-NIQE (pyiqa): RGB (0..255), rounded to integers, resized to {0}x{0} by MATLAB's bicubic, cropped "
      "to "
      "{1}x{1}; blocks of {2}x{2}; scales 1 and 1/2; lower is better",
      kSide, kCropped, kBlock);
}

}  // namespace sr
