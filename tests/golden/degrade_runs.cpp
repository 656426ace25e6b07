// Whole recorded runs of Real-ESRGAN's and SeeSR's degradation, stage by stage, each stage fed with the
// recorded picture before it. Tolerances: ../shared/golden/degrade/README.md.

#include <fmt/format.h>

#include "case.h"
#include "core/error.h"
#include "degrade/apply.h"
#include "degrade/diffjpeg.h"
#include "degrade/filter.h"
#include "degrade/interpolate.h"
#include "degrade/kernels.h"
#include "degrade/noise.h"
#include "degrade/usm.h"

namespace golden {
namespace {

using nlohmann::json;

sr::Interpolation interpolation(const std::string& mode) {
  if (mode == "area") return sr::Interpolation::area;
  return mode == "bilinear" ? sr::Interpolation::bilinear : sr::Interpolation::bicubic;
}

/// Kernels as the case's JSON describes what was drawn for them.
Tensor kernel_from(const json& drawn) {
  const std::string function = drawn.at("fn");
  if (function == "pulse") return sr::padded_kernel(at::ones({1, 1}, at::kDouble), 21);
  const auto args = drawn.at("args").get<std::vector<double>>();
  if (function == "circular_lowpass_kernel") {
    return sr::padded_kernel(sr::sinc_kernel(static_cast<int>(args[1]), args[0]), 21);
  }
  sr::Blur blur;
  blur.kernel = function == "bivariate_Gaussian"               ? sr::KernelKind::aniso
                : function == "bivariate_generalized_Gaussian" ? sr::KernelKind::generalized_aniso
                                                               : sr::KernelKind::plateau_aniso;
  blur.size = static_cast<int>(args[0]);
  blur.sigma_x = args[1];
  blur.sigma_y = args[2];
  blur.rotation = args[3];
  if (args.size() > 4) blur.beta = args[4];
  return sr::padded_kernel(sr::kernel_of(blur), 21);
}

void compare_kernels(const Case& run, Report& report) {
  const char* names[] = {"kernel1", "kernel2", "sinc_kernel"};
  const auto& samples = run.info().at("kernels");
  for (size_t sample = 0; sample < samples.size(); sample++) {
    for (size_t i = 0; i < 3; i++) {
      report.compare(fmt::format("{}[{}]", names[i], sample), kernel_from(samples[sample][i]),
                     run.in(names[i])[static_cast<std::int64_t>(sample)], 1e-7);  // stored as float32
    }
  }
}

/// Equal but for a few samples: a coefficient on the edge of rounding moves a block.
void compare_mostly(Report& report, const std::string& what, const Tensor& actual, const Tensor& expected,
                    double tolerance, double fraction) {
  const auto off = (actual - expected).abs() > tolerance;
  if (off.sum().item<double>() > fraction * static_cast<double>(off.numel())) {
    report.compare(what, actual, expected, tolerance);
  } else {
    report.compare(what, at::where(off, expected, actual), expected, tolerance);
  }
}

class Run {
 public:
  Run(const Case& run, Report& report)
      : run_(run), report_(report), image_(run.in("gt")), rounds_(run.arch() == "realesrgan_run") {}

  void replay() {
    for (const auto& stage : run_.info().at("stages")) step(stage);
    finish();
  }

 private:
  void step(const json& stage) {
    const std::string op = stage.at("op");
    name_ = fmt::format("{:02}_{}", stage.at("stage").get<int>(), op);
    if (op == "clamp") {
      image_ = image_.clamp(0, 1);
    } else if (op == "crop_lq") {
      crop(stage);
    } else if (op == "usm") {
      usm();
    } else if (op == "filter2d") {
      take(sr::filter2d(image_, run_.in(stage.at("kernel"))), 1e-5);
    } else if (op == "resize") {
      take(resized(stage), 1e-5);
    } else if (op == "noise_gaussian" || op == "noise_poisson") {
      take(noisy(stage, op == "noise_gaussian"), 1e-5);
    } else if (op == "diffjpeg") {
      const auto quality = stage.at("quality").get<std::vector<double>>();
      compare_mostly(report_, name_, sr::diff_jpeg(image_, quality), run_.out(name_), 1e-4, 1e-4);
      image_ = run_.out(name_);
    } else {
      report_.fail(fmt::format("unknown stage {}", op));
    }
  }

  /// Compares our answer and goes on with the recorded one.
  void take(const Tensor& answer, double tolerance) {
    report_.compare(name_, answer, run_.out(name_), tolerance);
    image_ = run_.out(name_);
  }

  /// The first sharpens the ground truth, the last what the crop left of it.
  void usm() {
    const bool last = cropped_;
    compare_mostly(report_, name_, sr::usm_sharp(last ? run_.out("gt") : image_), run_.out(name_), 1e-4,
                   1e-4);
    if (last) {
      compare_mostly(report_, "gt_usm", sr::usm_sharp(run_.out("gt")), run_.out("gt_usm"), 1e-4, 1e-4);
    } else {
      image_ = run_.out(name_);
    }
  }

  Tensor resized(const json& stage) const {
    const auto mode = interpolation(stage.at("mode"));
    if (stage.contains("size")) return sr::interpolate_to(image_, stage["size"][0], stage["size"][1], mode);
    return sr::interpolate_by(image_, stage.at("scale_factor"), mode);
  }

  Tensor noisy(const json& stage, bool gaussian) const {
    std::vector<Tensor> results;
    for (std::int64_t i = 0; i < image_.size(0); i++) {
      const auto sample = image_.narrow(0, i, 1);
      const bool gray = stage.at("gray")[static_cast<size_t>(i)].get<double>() != 0;
      results.push_back(gaussian ? with_normals(stage, sample, i, gray)
                                 : with_counts(stage, sample, i, gray));
    }
    return at::cat(results);
  }

  Tensor with_normals(const json& stage, const Tensor& sample, std::int64_t i, bool gray) const {
    const auto prefix = name_ + (gray ? ".gray" : ".colour");
    auto normals = run_.in(prefix);
    // one grey map serves the whole batch
    normals = gray ? normals.reshape({1, 1, sample.size(2), sample.size(3)}) : normals.narrow(0, i, 1);
    return sr::add_gaussian_noise(sample, stage.at("sigma")[static_cast<size_t>(i)], normals);
  }

  Tensor with_counts(const json& stage, const Tensor& sample, std::int64_t i, bool gray) const {
    const auto photons = sr::photon_rates(gray ? sr::torchvision_gray(sample) : sample);
    if (!gray && stage.contains("vals")) {
      report_.compare(name_ + ".vals", photons.vals, stage["vals"][static_cast<size_t>(i)].get<double>(), 0);
    }
    const auto counts = run_.in(name_ + (gray ? ".gray" : ".colour")).narrow(0, i, 1).to(at::kFloat);
    return sr::add_poisson_noise(sample, stage.at("scale")[static_cast<size_t>(i)], photons, counts);
  }

  void crop(const json& stage) {
    const int scale = run_.info().at("scale");
    const std::int64_t top = stage.at("top"), left = stage.at("left"), size = stage.at("size");
    const auto cut = [&](const Tensor& images, std::int64_t by) {
      return images.narrow(2, top * by, size * by).narrow(3, left * by, size * by);
    };
    const auto lq = rounds_ ? (image_ * 255).round().clamp(0, 255) / 255 : image_.clamp(0, 1);
    take(cut(lq, 1), 1e-6);
    report_.compare("lq", image_, run_.out("lq"), 1e-6);
    // Real-ESRGAN crops the ground truth as it came, SeeSR the sharpened one
    const auto gt = rounds_ ? run_.in("gt") : run_.out("00_usm").clamp(0, 1);
    report_.compare("gt", cut(gt, scale), run_.out("gt"), 1e-6);
    cropped_ = true;
  }

  /// What SeeSR stores: the LR picture, and the same at the ground truth's size.
  void finish() {
    if (!run_.has("out.sr_bicubic")) return;
    const auto gt = run_.out("gt");
    const auto upscaled =
        sr::interpolate_to(run_.out("lq"), gt.size(2), gt.size(3), sr::Interpolation::bicubic);
    report_.compare("sr_bicubic", upscaled, run_.out("sr_bicubic"), 1e-5);
    compare_png("lq_png", run_.out("lq"));
    compare_png("sr_bicubic_png", upscaled);
  }

  void compare_png(const std::string& name, const Tensor& images) {
    const auto levels = (images * 255).round().clamp(0, 255).permute({0, 2, 3, 1});
    report_.compare_integers(name, levels, run_.out(name), 1, 1e-3);
  }

  const Case& run_;
  Report& report_;
  Tensor image_;
  bool rounds_, cropped_ = false;
  std::string name_;
};

void replay(const Case& run, Report& report) {
  compare_kernels(run, report);
  Run(run, report).replay();
}

}  // namespace

void add_pipeline_handlers(Handlers& handlers) {
  handlers["realesrgan_run"] = replay;
  handlers["seesr_run"] = replay;
}

}  // namespace golden
