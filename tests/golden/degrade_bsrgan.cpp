// Cases of BSRGAN's operators and of whole runs of its pipeline.
// Tolerances: ../shared/golden/degrade/README.md.

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <regex>

#include "case.h"
#include "core/error.h"
#include "degrade/bsrgan.h"
#include "degrade/filter.h"
#include "degrade/jpeg_codec.h"
#include "degrade/kernels.h"
#include "degrade/opencv_resize.h"
#include "degrade/usm.h"
#include "image/resize.h"

namespace golden {
namespace {

using nlohmann::json;

constexpr double kTolerance = 1e-5, kKernelTolerance = 1e-9;
constexpr double kUsmTolerance = 1e-4;  // a pixel can lie on the mask's threshold

/// The recorded pictures are H x W x C (or H x W), ours 1 x C x H x W.
Tensor planar(const Tensor& image) {
  const Tensor channels = image.dim() == 2 ? image.unsqueeze(2) : image;
  return channels.permute({2, 0, 1}).unsqueeze(0).contiguous();
}

Tensor interleaved(const Tensor& images) { return images[0].permute({1, 2, 0}); }

/// A sample that lies on a half can be rounded either way before a JPEG, which then may move its block.
void compare_jpeg(Report& report, const std::string& name, const Tensor& actual, const Tensor& expected) {
  const auto levels = [](const Tensor& image) { return image.mul(255).round(); };
  report.compare_integers(name, levels(interleaved(actual)), levels(expected), 8, 0.25);
}

// --- operators -----------------------------------------------------------------------------------

/// fspecial_gaussian. Its sigma is drawn from an interval that begins at 0, where it becomes a pulse.
Tensor isotropic_kernel(int size, double sigma) {
  constexpr double kPulse = 1e-9;
  return sr::gaussian_kernel({size, std::max(sigma, kPulse), std::max(sigma, kPulse)});
}

Tensor anisotropic_kernel(const json& entry) {
  const double l1 = entry.at("l1"), l2 = entry.at("l2");
  return sr::gaussian_kernel({entry.at("ksize"), std::sqrt(l1), std::sqrt(l2), entry.at("theta")});
}

/// ndimage.convolve, which turns the kernel round.
Tensor convolved(const Tensor& image, const Tensor& kernel, sr::Border border) {
  return sr::filter2d(image, kernel.flip({0, 1}).to(at::kFloat), border);
}

Tensor resized(const Tensor& image, const json& entry) {
  const std::string mode = entry.at("interpolation");
  const auto to = [&](sr::OpenCvInterpolation interpolation) {
    return sr::opencv_resize(image, entry.at("height"), entry.at("width"), interpolation);
  };
  if (mode == "linear") return to(sr::OpenCvInterpolation::linear);
  if (mode == "cubic") return to(sr::OpenCvInterpolation::cubic);
  if (mode == "area") return to(sr::OpenCvInterpolation::area);
  throw sr::Error(fmt::format("unknown interpolation {}", mode));
}

Tensor bicubic(const Tensor& image, const json& entry) {
  return sr::imresize(image, 1.0 / entry.at("sf").get<int>());
}

// --- bsrgan_ops ----------------------------------------------------------------------------------

/// "shift_pixel(upper_left=True) of fspecial(25, 0.35 sf)".
Tensor shifted_kernel(const json& entry) {
  static const std::regex pattern(R"(.*fspecial\(([0-9]+), ([0-9.]+) sf\))");
  const std::string op = entry.at("op");
  std::smatch part;
  if (!std::regex_match(op, part, pattern)) throw sr::Error(fmt::format("unknown operator {}", op));
  const int scale = entry.at("sf");
  return sr::shifted_kernel(isotropic_kernel(std::stoi(part[1]), std::stod(part[2]) * scale), scale);
}

/// The recorded noise that an operator's branch ("... > 0.6": coloured) adds.
Tensor branch_noise(const Case& recorded, const std::string& op) {
  if (op.ends_with("> 0.6")) return planar(recorded.in("noise3"));
  if (op.ends_with("< 0.4")) return planar(recorded.in("noise1"));
  return planar(recorded.in("mv"));
}

using Operator = std::function<Tensor(const Case&, const json&)>;
using Operators = std::map<std::string, Operator>;

Operators kernel_operators() {
  return {
      {"anisotropic_Gaussian", [](const Case&, const json& entry) { return anisotropic_kernel(entry); }},
      {"fspecial_gaussian",
       [](const Case&, const json& entry) { return isotropic_kernel(entry.at("hsize"), entry.at("sigma")); }},
      {"shift_pixel", [](const Case&, const json& entry) { return shifted_kernel(entry); }},
  };
}

/// Those that take pictures to pictures.
Operators picture_operators() {
  const auto image = [](const Case& recorded) { return planar(recorded.in("img")); };
  const auto wrapped = [](const Case& recorded, const Tensor& picture) {
    return convolved(picture, recorded.in("kernel"), sr::Border::wrap);
  };
  return {
      {"ndimage.convolve",
       [=](const Case& recorded, const json&) {
         return convolved(image(recorded), recorded.in("kernel"), sr::Border::reflect);
       }},
      {"srmd_degradation",
       [=](const Case& recorded, const json& entry) {
         return bicubic(wrapped(recorded, image(recorded)), entry);
       }},
      {"dpsr_degradation",
       [=](const Case& recorded, const json& entry) {
         return wrapped(recorded, bicubic(image(recorded), entry));
       }},
      {"classical_degradation",
       [=](const Case& recorded, const json& entry) {
         return sr::decimated(wrapped(recorded, image(recorded)), entry.at("sf"));
       }},
      {"bicubic_degradation",
       [=](const Case& recorded, const json& entry) { return bicubic(image(recorded), entry); }},
      {"cv2.resize",
       [=](const Case& recorded, const json& entry) { return resized(image(recorded), entry); }},
      {"add_Gaussian_noise",
       [=](const Case& recorded, const json& entry) {
         return sr::add_noise(image(recorded), branch_noise(recorded, entry.at("op")));
       }},
      {"add_speckle_noise",
       [=](const Case& recorded, const json& entry) {
         return sr::add_speckle_noise(image(recorded), branch_noise(recorded, entry.at("op")));
       }},
      {"add_Poisson_noise",
       [=](const Case& recorded, const json& entry) {
         const Tensor counts = planar(recorded.in(entry.at("name")));
         return sr::add_bsrgan_poisson(image(recorded), entry.at("vals"), counts);
       }},
      {"add_JPEG_noise",
       [=](const Case& recorded, const json& entry) {
         return sr::codec_jpeg(image(recorded), entry.at("quality"));
       }},
      {"add_sharpening",
       [](const Case& recorded, const json&) { return sr::usm_sharp(planar(recorded.in("sharpen"))); }},
  };
}

template <std::size_t N>
std::array<double, N> doubles(const Tensor& values) {
  const Tensor flat = values.to(at::kDouble).contiguous().view({N});
  std::array<double, N> array;
  std::copy_n(flat.data_ptr<double>(), N, array.begin());
  return array;
}

void check_covariance(const Case& recorded, Report& report) {
  const auto covariance =
      sr::channel_covariance(doubles<3>(recorded.in("mv_d")), doubles<9>(recorded.in("mv_u")));
  report.compare("mv_cov", torch::tensor(at::ArrayRef<double>(covariance)).view({3, 3}),
                 recorded.out("mv_cov"), kKernelTolerance);
}

void check_operators(const Case& recorded, Report& report) {
  static const Operators kernels = kernel_operators(), pictures = picture_operators();
  if (recorded.has("out.mv_cov")) check_covariance(recorded, report);
  for (const json& entry : recorded.info().at("cases")) {
    const std::string name = entry.at("name"), op = entry.at("op");
    const std::string function = op.substr(0, op.find_first_of(" ("));
    const Tensor expected = recorded.out(name);
    if (kernels.count(function) != 0) {
      report.compare(name, kernels.at(function)(recorded, entry), expected, kKernelTolerance);
    } else if (pictures.count(function) == 0) {
      report.fail(fmt::format("{}: unknown operator {}", name, op));
    } else if (function == "add_JPEG_noise") {
      compare_jpeg(report, name, pictures.at(function)(recorded, entry), expected);
    } else {
      report.compare(name, interleaved(pictures.at(function)(recorded, entry)), expected,
                     function == "add_sharpening" ? kUsmTolerance : kTolerance);
    }
  }
}

// --- bsrgan_run ----------------------------------------------------------------------------------

/// Replays the stages one by one, each on the recorded picture before it.
class Run {
 public:
  Run(const Case& recorded, Report& report)
      : recorded_(recorded), report_(report), scale_(recorded.info().at("sf")) {
    const Tensor image = planar(recorded.in("img"));
    const auto whole = [&](std::int64_t side) { return side / scale_ * scale_; };
    hr_ = image.slice(2, 0, whole(image.size(2))).slice(3, 0, whole(image.size(3))).contiguous();
    picture_ = hr_;
  }

  void check() {
    for (const json& stage : recorded_.info().at("stages")) check_stage(stage);
  }

 private:
  void check_stage(const json& stage) {
    const std::string op = stage.at("op");
    name_ = fmt::format("{:02}_{}", stage.at("stage").get<int>(), op);
    if (op == "convolve") {
      convolve(stage);
    } else if (op == "cv2_resize") {
      compare(resized(picture_, stage));
      picture_.clamp_(0, 1);
    } else if (op == "imresize") {
      compare(sr::imresize(picture_, stage.at("scale")));
      picture_.clamp_(0, 1);
    } else if (op == "gaussian_noise") {
      compare(sr::add_noise(picture_, planar(recorded_.in(name_ + ".noise"))));
    } else if (op == "jpeg") {
      const Tensor expected = recorded_.out(name_);
      compare_jpeg(report_, name_, sr::codec_jpeg(picture_, stage.at("quality")), expected);
      picture_ = planar(expected);
    } else if (op == "crop") {
      crop(stage);
    } else {
      report_.fail(fmt::format("unknown operator {}", op));
    }
  }

  /// The next stage works on what was recorded.
  void compare(const Tensor& actual) {
    const Tensor expected = recorded_.out(name_);
    report_.compare(name_, interleaved(actual), expected, kTolerance);
    picture_ = planar(expected);
  }

  void convolve(const json& stage) {
    const std::string type = stage.at("type"), mode = stage.at("mode");
    const Tensor kernel = drawn_kernel(stage, type);
    report_.compare(name_ + " kernel", kernel, recorded_.in(name_ + ".kernel"), kKernelTolerance);
    compare(convolved(picture_, kernel, mode == "wrap" ? sr::Border::wrap : sr::Border::reflect));
    if (type == "shifted_fspecial") picture_ = sr::decimated(picture_, stage.at("sf")).clamp_(0, 1);
  }

  static Tensor drawn_kernel(const json& stage, const std::string& type) {
    if (type == "anisotropic") return anisotropic_kernel(stage);
    const Tensor kernel = isotropic_kernel(stage.at("size"), stage.at("sigma"));
    if (type == "fspecial") return kernel;
    if (type != "shifted_fspecial") throw sr::Error(fmt::format("unknown kernel {}", type));
    const Tensor shifted = sr::shifted_kernel(kernel, stage.at("sf"));
    return shifted / shifted.sum();
  }

  void crop(const json& stage) {
    const std::int64_t top = stage.at("top"), left = stage.at("left"), size = stage.at("size");
    const auto cut = [&](const Tensor& image, std::int64_t scale) {
      return interleaved(
          image.slice(2, top * scale, (top + size) * scale).slice(3, left * scale, (left + size) * scale));
    };
    const Tensor lr = cut(picture_, 1);
    report_.compare(name_, lr, recorded_.out(name_), 0);
    report_.compare("lq", lr, recorded_.out("lq"), 0);
    report_.compare("hq", cut(hr_, scale_), recorded_.out("hq"), 0);
  }

  const Case& recorded_;
  Report& report_;
  std::int64_t scale_;
  Tensor hr_, picture_;
  std::string name_;
};

}  // namespace

void add_bsrgan_handlers(Handlers& handlers) {
  handlers["bsrgan_ops"] = check_operators;
  handlers["bsrgan_run"] = [](const Case& recorded, Report& report) { Run(recorded, report).check(); };
}

}  // namespace golden
