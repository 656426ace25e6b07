// Recorded noise and JPEG of the degradation pipelines. Formats and tolerances:
// ../shared/golden/degrade/README.md.

#include <cstdio>
#include <fmt/format.h>
#include <jpeglib.h>
#include <regex>

#include "case.h"
#include "core/error.h"
#include "degrade/diffjpeg_stages.h"
#include "degrade/jpeg_codec.h"
#include "degrade/noise.h"
#include "image/colour.h"

namespace golden {
namespace {

using nlohmann::json;

/// H x W x 3 in OpenCV's order to [1,3,H,W], and back.
Tensor from_bgr(const Tensor& image) { return image.flip(2).permute({2, 0, 1}).unsqueeze(0).contiguous(); }
Tensor to_bgr(const Tensor& image) { return image[0].permute({1, 2, 0}).flip(2); }

/// H x W x C (or H x W) draws, in the order of the channels of `from_bgr`.
Tensor draws_from_bgr(const Tensor& draws) {
  const Tensor values = draws.to(at::kFloat);
  return values.dim() == 2 ? values.view({1, 1, values.size(0), values.size(1)}) : from_bgr(values);
}

/// Equal but for a few samples: a coefficient on the edge of rounding moves a block.
void compare_mostly(Report& report, const std::string& what, const Tensor& actual, const Tensor& expected) {
  if (actual.sizes() != expected.sizes()) return report.compare(what, actual, expected, 0);
  const Tensor off = (actual - expected).abs().le(1e-4).logical_not();
  const bool few = off.sum().item<double>() <= 1e-4 * static_cast<double>(off.numel());
  report.compare(what, few ? at::where(off, expected, actual) : actual, expected, 1e-4);
}

// --- a call's parameters -------------------------------------------------------------------------

sr::Clamp clamp_of(const json& call) { return call.value("clip", true) ? sr::Clamp::yes : sr::Clamp::no; }

/// On the 8-bit grid, if the call says so.
Tensor finished(const Tensor& answer, const json& call) {
  return call.value("rounds", false) ? answer.mul(255).round().div(255) : answer;
}

// --- noise, torch --------------------------------------------------------------------------------

Tensor sample_of(const Tensor& batch, std::int64_t i) { return batch.slice(0, i, i + 1); }

/// One of the recorded calls, sample by sample.
class NoisyBatch {
 public:
  NoisyBatch(const Case& recorded, const json& call, Report& report)
      : recorded_(recorded),
        call_(call),
        report_(report),
        name_(call.at("name")),
        images_(recorded.in(call.value("img", "img"))) {}

  void check() {
    const std::int64_t n = images_.size(0);
    levels_ = per_sample(gaussian() ? "sigma" : "scale", n);
    gray_ = call_.contains("gray_prob") ? drawn_flags() : per_sample("gray", n);
    std::vector<Tensor> answers;
    for (std::int64_t i = 0; i < n; ++i) answers.push_back(gaussian() ? with_gaussian(i) : with_poisson(i));
    report_.compare(name_, finished(at::cat(answers), call_), recorded_.out(name_), 1e-5);
    if (!gaussian()) compare_rates();
  }

 private:
  bool gaussian() const { return call_.contains("sigma") || call_.contains("sigma_range"); }
  bool is_gray(std::int64_t i) const { return gray_[static_cast<std::size_t>(i)] > 0; }

  /// A parameter: one for all, one a sample, or a recorded draw from a range.
  std::vector<double> per_sample(const std::string& key, std::int64_t n) const {
    if (call_.contains(key + "_range")) {
      const double lo = call_.at(key + "_range")[0], hi = call_.at(key + "_range")[1];
      return values(draw("0_rand").to(at::kDouble) * (hi - lo) + lo);
    }
    const json& value = call_.at(key);
    if (value.is_array()) return value.get<std::vector<double>>();
    return std::vector<double>(static_cast<std::size_t>(n), value.get<double>());
  }

  std::vector<double> drawn_flags() const {
    return values(draw("1_rand").lt(call_.at("gray_prob").get<double>()).to(at::kDouble));
  }

  static std::vector<double> values(const Tensor& tensor) {
    const Tensor plain = tensor.contiguous();
    return {plain.data_ptr<double>(), plain.data_ptr<double>() + plain.numel()};
  }

  Tensor draw(const std::string& draw) const { return recorded_.in(fmt::format("{}.{}", name_, draw)); }

  /// The recorded tensor of noise: grey where that comes first, else the last.
  std::string noise_name(bool gray) const {
    std::vector<std::string> names;
    for (const std::string name : call_.at("draws")) {
      if (!name.ends_with("_rand")) names.push_back(name);
    }
    return gray ? names.front() : names.back();
  }

  Tensor with_gaussian(std::int64_t i) const {
    const Tensor normals = draw(noise_name(is_gray(i)));  // grey: [H,W], shared by the batch
    const Tensor own =
        is_gray(i) ? normals.view({1, 1, normals.size(0), normals.size(1)}) : sample_of(normals, i);
    return sr::add_gaussian_noise(sample_of(images_, i), levels_[static_cast<std::size_t>(i)], own,
                                  clamp_of(call_));
  }

  sr::PhotonRates photons(std::int64_t i, bool gray) const {
    const Tensor sample = sample_of(images_, i);
    return sr::photon_rates(gray ? sr::torchvision_gray(sample) : sample);
  }

  Tensor with_poisson(std::int64_t i) const {
    return sr::add_poisson_noise(sample_of(images_, i), levels_[static_cast<std::size_t>(i)],
                                 photons(i, is_gray(i)), sample_of(draw(noise_name(is_gray(i))), i),
                                 clamp_of(call_));
  }

  /// The rates of every sample are recorded, grey or not.
  void compare_rates() const {
    for (const std::string draw : call_.at("draws")) {
      if (draw.ends_with("_rand")) continue;
      const std::string name = fmt::format("{}.{}_rate", name_, draw.substr(0, draw.find('_')));
      const Tensor expected = recorded_.out(name);
      std::vector<Tensor> rates;
      for (std::int64_t i = 0; i < images_.size(0); ++i)
        rates.push_back(photons(i, expected.size(1) == 1).rates());
      report_.compare(name, at::cat(rates), expected, 1e-4);  // up to 256 photons
    }
  }

  const Case& recorded_;
  const json& call_;
  Report& report_;
  std::string name_;
  Tensor images_;
  std::vector<double> levels_, gray_;
};

/// `out.gray_IMAGE`, `out.unique_IMAGE_colour`, `out.vals_IMAGE_gray`, ...
void check_photon_facts(const Case& recorded, Report& report) {
  static const std::regex pattern("(gray|unique|vals)_(.+?)(?:_(colour|gray))?");
  for (const std::string& name : recorded.outputs()) {
    std::smatch part;
    if (!std::regex_match(name, part, pattern)) continue;
    const Tensor expected = recorded.out(name), images = recorded.in(part[2]);
    const Tensor gray = sr::torchvision_gray(images);
    if (part[1] == "gray") {
      std::vector<Tensor> quantised;
      for (std::int64_t i = 0; i < images.size(0); ++i) {
        quantised.push_back(sr::photon_rates(sample_of(gray, i)).quantised);
      }
      report.compare(name, at::cat(quantised), expected, 1e-5);
      continue;
    }
    for (std::int64_t i = 0; i < images.size(0); ++i) {
      const auto photons = sr::photon_rates(sample_of(part[3] == "gray" ? gray : images, i));
      const double actual = part[1] == "vals" ? photons.vals : photons.distinct;
      report.compare(fmt::format("{}[{}]", name, i), actual, expected[i].item<double>(), 0);
    }
  }
}

void check_noise_torch(const Case& recorded, Report& report) {
  for (const json& call : recorded.info().at("cases")) NoisyBatch(recorded, call, report).check();
  check_photon_facts(recorded, report);
}

// --- noise, numpy --------------------------------------------------------------------------------

/// These forms take their grey picture from OpenCV, whose weights are luma_full_range's.
void check_noise_numpy(const Case& recorded, Report& report) {
  const Tensor image = from_bgr(recorded.in("img_bgr"));
  for (const json& call : recorded.info().at("cases")) {
    const std::string name = call.at("name");
    Tensor answer;
    if (call.contains("sigma")) {
      answer = sr::add_gaussian_noise(image, call.at("sigma"), draws_from_bgr(recorded.in(name + ".0_randn")),
                                      clamp_of(call));
    } else {
      const Tensor seen = call.at("gray").get<bool>() ? sr::luma_full_range(image) : image;
      answer = sr::add_poisson_noise(image, call.at("scale"), sr::photon_rates(seen),
                                     draws_from_bgr(recorded.in(name + ".0_poisson")), clamp_of(call));
    }
    report.compare(name, to_bgr(finished(answer, call)), recorded.out(name), 1e-5);
  }
}

// --- DiffJPEG ------------------------------------------------------------------------------------

std::vector<double> doubles(const Tensor& tensor) {
  const Tensor values = tensor.to(at::kDouble).contiguous();
  return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

/// By the loop and by LibTorch's operators.
void compare_diffjpeg(Report& report, const std::string& name, const Tensor& images,
                      const std::vector<double>& quality, const Tensor& expected) {
  compare_mostly(report, name, sr::diff_jpeg(images, quality), expected);
  compare_mostly(report, name + " (operators)",
                 sr::diffjpeg::recoded(images, quality, sr::JpegRounding::nearest), expected);
}

void check_batch(const Case& recorded, Report& report) {
  const Tensor images = recorded.in("batch");
  const std::vector<double> quality = doubles(recorded.in("batch_quality"));
  compare_diffjpeg(report, "batch", images, quality, recorded.out("batch"));
  compare_mostly(report, "batch_differentiable", sr::diff_jpeg(images, quality, sr::JpegRounding::cubic),
                 recorded.out("batch_differentiable"));
  std::vector<double> factors;
  for (const double q : quality) factors.push_back(sr::diffjpeg::quality_factor(q));
  report.compare("batch_quality_afterwards", torch::tensor(factors, at::kDouble),
                 recorded.out("batch_quality_afterwards"), 1e-5);
}

void check_stages(const Case& recorded, Report& report) {
  using namespace sr::diffjpeg;
  static const std::regex pattern("stage\\.(y|cb|cr)(?:_(?:(dct)|q([0-9.]+)))?");
  const Planes planes = to_planes(recorded.in("stage"));
  for (const std::string& name : recorded.outputs()) {
    std::smatch part;
    if (!std::regex_match(name, part, pattern)) continue;
    const Tensor plane = part[1] == "y" ? planes.y : part[1] == "cb" ? planes.cb : planes.cr;
    const Tensor expected = recorded.out(name), coefficients = dct(to_blocks(plane));
    if (part[3].matched) {
      const auto table = quantisation_table(part[1] == "y" ? Component::luma : Component::chroma);
      const Tensor steps = torch::tensor(at::ArrayRef<float>(table.data(), table.size())).view({8, 8});
      const double factor = quality_factor(std::stod(part[3]));
      const Tensor rounded = quantised(coefficients, steps * factor, sr::JpegRounding::nearest);
      report.compare_integers(name, rounded, expected, 1, 1e-3);
    } else {
      report.compare(name, part[2].matched ? coefficients : plane, expected, 1e-3);  // of 255, or of 1024
    }
  }
}

void check_diffjpeg(const Case& recorded, Report& report) {
  for (const json& call : recorded.info().at("cases")) {
    const std::string name = call.at("name");
    const double quality = call.at("quality");
    compare_diffjpeg(report, name, recorded.in(call.at("img")), {quality}, recorded.out(name));
    if (call.contains("factor")) {
      report.compare(name + " factor", sr::diffjpeg::quality_factor(quality), call.at("factor"), 1e-9);
    }
  }
  if (recorded.has("in.batch")) check_batch(recorded, report);
  if (recorded.has("in.stage")) check_stages(recorded, report);
}

// --- libjpeg -------------------------------------------------------------------------------------

/// The fixtures are of libjpeg-turbo 2.1, from which others may differ by a few grey levels.
constexpr bool kSameLibrary = LIBJPEG_TURBO_VERSION_NUMBER / 1000 == 2001;
constexpr double kLevels = kSameLibrary ? 0 : 4;

std::span<const std::byte> bytes_of(const Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.data_ptr()), static_cast<std::size_t>(tensor.numel())};
}

void check_file(const Case& recorded, const json& call, Report& report) {
  const std::string image = call.at("img");
  const int quality = call.at("quality");
  const Tensor rgb = recorded.in(image).permute({2, 0, 1}).contiguous();
  const Tensor expected = recorded.out(fmt::format("bytes{}_q{}", image.substr(3), quality)).contiguous();
  const std::vector<std::byte> file = sr::encode_jpeg(rgb, quality);
  const auto recorded_file = bytes_of(expected);
  const std::string name = fmt::format("{}_q{}", image, quality);
  if (kSameLibrary) {
    report.require(name + " has the recorded bytes",
                   std::equal(file.begin(), file.end(), recorded_file.begin(), recorded_file.end()));
  }
  const Tensor pixels = recorded.out(name);
  report.compare(name + " decoded", sr::decode_jpeg(recorded_file).permute({1, 2, 0}), pixels, kLevels);
  report.compare(name, sr::decode_jpeg(file).permute({1, 2, 0}), pixels, kLevels);
  const Tensor through = sr::codec_jpeg(rgb.unsqueeze(0).to(at::kFloat).div(255), quality);
  report.compare(name + " of floats", through[0].mul(255).permute({1, 2, 0}), pixels, kLevels + 1e-4);
}

void check_cv2_jpeg(const Case& recorded, Report& report) {
  for (const json& call : recorded.info().at("cases")) check_file(recorded, call, report);
  static const std::regex pattern("add_jpg_float_q([0-9.]+)");
  for (const std::string& name : recorded.outputs()) {
    std::smatch part;
    if (!std::regex_match(name, part, pattern)) continue;
    const Tensor answer =
        sr::codec_jpeg(from_bgr(recorded.in("float_bgr")), static_cast<int>(std::stod(part[1])));
    report.compare(name, to_bgr(answer), recorded.out(name), kLevels / 255 + 1e-6);
  }
}

}  // namespace

void add_noise_handlers(Handlers& handlers) {
  handlers["noise_torch"] = check_noise_torch;
  handlers["noise_numpy"] = check_noise_numpy;
  handlers["diffjpeg"] = check_diffjpeg;
  handlers["cv2_jpeg"] = check_cv2_jpeg;
}

}  // namespace golden
