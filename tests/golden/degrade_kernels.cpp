// Cases of blur kernels, filters, interpolation and sharpening.
// Tolerances: ../shared/golden/degrade/README.md.

#include <fmt/format.h>
#include <regex>

#include "case.h"
#include "core/error.h"
#include "degrade/filter.h"
#include "degrade/interpolate.h"
#include "degrade/kernels.h"
#include "degrade/usm.h"

namespace golden {
namespace {

using nlohmann::json;

constexpr double kKernelTolerance = 1e-9, kSincTolerance = 1e-7;  // sinc: Bessel functions differ

// --- kernels -------------------------------------------------------------------------------------

/// `kind` is [generalized_|plateau_]iso or aniso.
Tensor elliptic_kernel(const std::string& kind, const sr::KernelAxes& axes, double beta) {
  if (kind.starts_with("generalized")) return sr::generalized_gaussian_kernel(axes, beta);
  if (kind.starts_with("plateau")) return sr::plateau_kernel(axes, beta);
  return sr::gaussian_kernel(axes);
}

Tensor sinc_kernel(int size, double cutoff, int pad_to) {
  const Tensor kernel = sr::sinc_kernel(size, cutoff);
  return pad_to > 0 ? sr::padded_kernel(kernel, pad_to) : kernel;
}

Tensor listed_kernel(const Case& recorded, const json& entry) {
  const std::string kind = entry.at("kind");
  const int size = entry.at("size");
  if (kind == "sinc") return sinc_kernel(size, entry.at("cutoff"), entry.value("pad_to", 0));
  const double sigma_x = entry.at("sig_x");
  const sr::KernelAxes axes{size, sigma_x, entry.value("sig_y", sigma_x), entry.value("theta", 0.0)};
  const Tensor kernel = elliptic_kernel(kind, axes, entry.value("beta", 0.0));
  return entry.contains("noise") ? sr::noisy_kernel(kernel, recorded.in("kernel_noise")) : kernel;
}

void check_kernels(const Case& recorded, Report& report) {
  for (const json& entry : recorded.info().at("kernels")) {
    const std::string name = entry.at("name");
    report.compare(name, listed_kernel(recorded, entry), recorded.out(name),
                   entry.at("kind") == "sinc" ? kSincTolerance : kKernelTolerance);
  }
}

/// A call of BasicSR's: bivariate_*(size, sig_x, sig_y, theta[, beta]), circular_lowpass_kernel(cutoff, size,
/// pad_to).
Tensor called_kernel(const std::string& function, const json& args) {
  if (function == "circular_lowpass_kernel") return sinc_kernel(args.at(1), args.at(0), args.at(2));
  const sr::KernelAxes axes{args.at(0), args.at(1), args.at(2), args.at(3)};
  if (function == "bivariate_generalized_Gaussian") return sr::generalized_gaussian_kernel(axes, args.at(4));
  if (function == "bivariate_plateau") return sr::plateau_kernel(axes, args.at(4));
  if (function == "bivariate_Gaussian") return sr::gaussian_kernel(axes);
  throw sr::Error(fmt::format("a kernel was made by the unknown function {}", function));
}

void check_kernels_sampled(const Case& recorded, Report& report) {
  for (const json& run : recorded.info().at("runs")) {
    const std::string name = run.at("name"), function = run.at("call").at("fn");
    report.compare(name, called_kernel(function, run.at("call").at("args")), recorded.out(name),
                   function == "circular_lowpass_kernel" ? kSincTolerance : kKernelTolerance);
  }
}

// --- filters and interpolation -------------------------------------------------------------------

void check_filter2d(const Case& recorded, Report& report) {
  const Tensor image = recorded.in("img");
  for (const std::string& name : recorded.outputs()) {
    report.compare(name, sr::filter2d(image, recorded.in(name)), recorded.out(name), 1e-5);
  }
}

sr::Interpolation interpolation(const std::string& mode) {
  if (mode == "area") return sr::Interpolation::area;
  if (mode == "bilinear") return sr::Interpolation::bilinear;
  if (mode == "bicubic") return sr::Interpolation::bicubic;
  throw sr::Error(fmt::format("unknown interpolation {}", mode));
}

void check_resize(const Case& recorded, Report& report) {
  const Tensor image = recorded.in("img");
  for (const json& entry : recorded.info().at("cases")) {
    const std::string name = entry.at("name");
    const auto mode = interpolation(entry.at("mode"));
    const Tensor resized = entry.contains("size") ? sr::interpolate_to(image, entry.at("size").at(0),
                                                                       entry.at("size").at(1), mode)
                                                  : sr::interpolate_by(image, entry.at("scale_factor"), mode);
    report.compare(name, resized, recorded.out(name), 1e-5);
  }
}

// --- sharpening ----------------------------------------------------------------------------------

constexpr double kUsmTolerance = 1e-4;

/// The number that follows `word` in the case's words on parameters.
double parameter(const Case& recorded, const std::string& word) {
  const std::string text = recorded.info().at("params");
  std::smatch found;
  if (!std::regex_search(text, found, std::regex(word + " ([0-9.]*[0-9])"))) {
    throw sr::Error(fmt::format("the case does not tell its {}", word));
  }
  return std::stod(found[1]);
}

/// The masks, each from the picture that the one before it is recorded as: one flipped pixel of the mask is
/// seen all around it in the soft mask.
void check_masks(const Case& recorded, Report& report, const Tensor& gaussian, double threshold) {
  const Tensor image = recorded.in("img"), mask = recorded.out("mask");
  const Tensor difference = image - sr::filter_separable(image, gaussian, gaussian);
  report.compare_integers("mask", (difference.abs() * 255).gt(threshold), mask, 1, 1e-4);
  const Tensor soft_mask = sr::filter_separable(mask.to(at::kFloat), gaussian, gaussian);
  report.compare("soft_mask", soft_mask, recorded.out("soft_mask"), 1e-5);
}

/// gauss1d_SIZE_SIGMA; usm_wWEIGHT_tTHRESHOLD.
void check_variant(const Case& recorded, Report& report, const std::string& name, sr::UsmOptions options) {
  static const std::regex gaussian("gauss1d_([0-9]+)_([0-9.]+)"), usm("usm_w([0-9.]+)_t([0-9.]+)");
  std::smatch part;
  if (std::regex_match(name, part, gaussian)) {
    const Tensor kernel = sr::opencv_gaussian(std::stoi(part[1]), std::stod(part[2]));
    report.compare(name, kernel, recorded.out(name), kKernelTolerance);
  } else if (std::regex_match(name, part, usm)) {
    options.weight = std::stod(part[1]);
    options.threshold = std::stod(part[2]);
    report.compare(name, sr::usm_sharp(recorded.in("img"), options), recorded.out(name), kUsmTolerance);
  }  // any other stays uncompared, so the case fails
}

void check_usm(const Case& recorded, Report& report) {
  sr::UsmOptions options;
  options.radius = static_cast<int>(parameter(recorded, "radius"));
  options.weight = parameter(recorded, "weight");
  options.threshold = parameter(recorded, "threshold");
  const Tensor image = recorded.in("img");
  const Tensor gaussian = sr::opencv_gaussian(options.radius / 2 * 2 + 1, 0);
  report.compare("kernel_1d", gaussian, recorded.out("kernel_1d"), kKernelTolerance);
  report.compare("kernel", at::outer(gaussian, gaussian), recorded.out("kernel"), 1e-6);
  check_masks(recorded, report, gaussian, options.threshold);
  report.compare("usm", sr::usm_sharp(image, options), recorded.out("usm"), kUsmTolerance);
  const Tensor first = sr::usm_sharp(image.slice(0, 0, 1), options)[0].permute({1, 2, 0});
  report.compare("usm_numpy", first, recorded.out("usm_numpy"), kUsmTolerance);
  for (const std::string& name : recorded.outputs()) check_variant(recorded, report, name, options);
}

}  // namespace

void add_kernel_handlers(Handlers& handlers) {
  handlers["kernels"] = check_kernels;
  handlers["kernels_sampled"] = check_kernels_sampled;
  handlers["filter2d"] = check_filter2d;
  handlers["resize"] = check_resize;
  handlers["usm"] = check_usm;
}

}  // namespace golden
