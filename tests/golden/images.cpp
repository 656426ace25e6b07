// Cases of the numeric half of `image` and of PSNR and SSIM. Tolerances: ../shared/golden/metrics/README.md.

#include <fmt/format.h>
#include <regex>

#include "case.h"
#include "core/error.h"
#include "image/colour.h"
#include "image/decode.h"
#include "image/resize.h"
#include "quality/psnr_ssim.h"

namespace golden {
namespace {

/// The recorded pictures are H x W x C (or H x W), ours C x H x W.
Tensor planar(const Tensor& image) {
  return image.dim() == 2 ? image.unsqueeze(0) : image.permute({2, 0, 1}).contiguous();
}

Tensor interleaved(const Tensor& image, std::int64_t dims) {
  return dims == 2 ? image.squeeze(0) : image.permute({1, 2, 0});
}

/// 0..255 to the nearest integers, as numpy rounds: halves to even.
Tensor quantised(const Tensor& values) { return values.round().clamp(0, 255); }

// --- imresize ------------------------------------------------------------------------------------

void compare_axis(const Case& recorded, Report& report, const std::string& name, std::int64_t length,
                  const sr::ResizeOptions& options) {
  const double scale = recorded.info().at("scale");
  const auto axis = sr::resize_axis(length, sr::resized_length(length, scale), scale, options, at::kFloat);
  if (recorded.has("out.first_" + name)) {
    report.compare("first_" + name, torch::tensor(axis.first), recorded.out("first_" + name), 0);
  }
  if (recorded.has("out.weights_" + name)) {
    report.compare("weights_" + name, axis.weights, recorded.out("weights_" + name), 1e-5);
  }
}

void check_imresize(const Case& recorded, Report& report) {
  const Tensor u8 = recorded.in("u8");
  const Tensor image = planar(u8).to(at::kFloat).div(255);
  sr::ResizeOptions options;
  options.antialias = recorded.info().at("antialiasing");
  const double scale = recorded.info().at("scale");
  const Tensor resized = interleaved(sr::imresize(image, scale, options), u8.dim());
  report.compare("float", resized, recorded.out("float"), 1e-5);
  report.compare_integers("u8", quantised(resized * 255), recorded.out("u8"), 1, 1e-3);
  if (recorded.has("out.float64")) {
    const Tensor exact = sr::imresize(image.to(at::kDouble), scale, options);
    report.compare("float64", interleaved(exact, u8.dim()), recorded.out("float64"), 1e-5);
  }
  if (recorded.has("out.pyiqa")) {
    const Tensor expected = recorded.out("pyiqa");
    const Tensor sized = sr::imresize_to(image, expected.size(0), expected.size(1), options);
    report.compare("pyiqa", interleaved(sized, u8.dim()), expected, 1e-5);
  }
  compare_axis(recorded, report, "h", u8.size(0), options);
  compare_axis(recorded, report, "w", u8.size(1), options);
}

// --- colour --------------------------------------------------------------------------------------

/// uint8 answers are exact, but where the sum lies on a half, which rounding can turn either way.
void compare_bytes(const Case& recorded, Report& report, const std::string& name, const Tensor& actual) {
  report.compare_integers(name, actual, recorded.out(name), 1, 1e-3);
}

/// The reference's uint8 answer of ycbcr2rgb wraps round where ours saturates.
void compare_wrapped(const Case& recorded, Report& report, const Tensor& ycbcr) {
  const Tensor unrounded = sr::ycbcr_to_rgb(ycbcr.to(at::kFloat).div(255).to(at::kDouble)) * 255;
  const Tensor wrapped = unrounded.round().to(at::kLong).bitwise_and(255);
  compare_bytes(recorded, report, "ycbcr2rgb_u8", interleaved(wrapped, 3));
  const Tensor inside = unrounded.ge(0).logical_and(unrounded.le(255));
  report.require("ycbcr_to_rgb of uint8 is the same inside 0..255",
                 sr::ycbcr_to_rgb(ycbcr).to(at::kLong).eq(wrapped).logical_or(~inside).all().item<bool>());
}

void check_colour(const Case& recorded, Report& report) {
  const Tensor u8 = planar(recorded.in("rgb_u8"));
  const Tensor image = u8.to(at::kFloat).div(255);
  compare_bytes(recorded, report, "rgb2ycbcr_u8", interleaved(sr::rgb_to_ycbcr(u8), 3));
  compare_bytes(recorded, report, "rgb2ycbcr_y_u8", sr::luma(u8)[0]);
  const auto compare = [&](const std::string& name, const Tensor& actual) {
    report.compare(name, actual, recorded.out(name), 1e-6);
  };
  compare("rgb2ycbcr_f32", interleaved(sr::rgb_to_ycbcr(image), 3));
  compare("rgb2ycbcr_y_f32", sr::luma(image)[0]);
  compare("rgb2ycbcr_pt", sr::rgb_to_ycbcr(image.unsqueeze(0)));
  compare("rgb2ycbcr_pt_y", sr::luma(image.unsqueeze(0)));
  compare("to_y_channel_f64", interleaved(sr::luma_255(u8), 3));
  // pyiqa rounds to integers at this range.
  compare("pyiqa_y_ycbcr_255", sr::luma(image.unsqueeze(0)).mul(255).round());
  compare("pyiqa_y_yiq_255", sr::luma_full_range(image.unsqueeze(0)).mul(255).round());
  const Tensor ycbcr = planar(recorded.out("rgb2ycbcr_u8"));
  compare("ycbcr2rgb_f32", interleaved(sr::ycbcr_to_rgb(ycbcr.to(at::kFloat).div(255)), 3));
  compare_wrapped(recorded, report, ycbcr);
}

// --- PSNR and SSIM -------------------------------------------------------------------------------

/// Outputs are named [sed_|pt_]METRIC_CHANNEL_cCROP.
void check_psnr_ssim(const Case& recorded, Report& report) {
  static const std::regex pattern("(sed_|pt_)?(psnr|ssim|psnrb)_(y|rgb)_c([0-9]+)");
  const Tensor a = planar(recorded.in("a")), b = planar(recorded.in("b"));
  for (const std::string& name : recorded.outputs()) {
    std::smatch part;
    if (!std::regex_match(name, part, pattern)) continue;  // stays uncompared, so the case fails
    sr::Protocol protocol;
    protocol.luma = part[3] == "y";
    protocol.crop_border = std::stoi(part[4]);
    protocol.mse_floor = part[1] == "pt_" ? 1e-8 : 0;
    const auto measure = part[2] == "psnr" ? sr::psnr : part[2] == "ssim" ? sr::ssim : sr::psnr_b;
    const double expected = recorded.out(name).item<double>();
    report.compare(name, measure(a, b, protocol), expected, part[2] == "ssim" ? 1e-6 : 1e-4);
  }
}

// --- weights by formula --------------------------------------------------------------------------

void check_formula(const Case& recorded, Report& report) {
  const StateDict parameters = recorded.parameters();
  for (const std::string& name : recorded.outputs()) {
    report.compare(name, parameters.at(name), recorded.out(name), 0);
  }
}

// --- bicubic_x4.tsv ------------------------------------------------------------------------------

/// [C,H,W], 0..255.
Tensor read_picture(const fs::path& path) { return quantised(sr::decode(sr::open_picture(path)).mul(255)); }

Tensor cropped_to_multiple(const Tensor& image, std::int64_t n) {
  return image.slice(1, 0, image.size(1) / n * n).slice(2, 0, image.size(2) / n * n);
}

constexpr int kScale = 4;

/// Resized in [0, 1], as the reference does it: in 0..255 the sums that lie on a half would be exact and
/// round another way.
Tensor resized(const Tensor& values, double scale) { return sr::imresize(values.div(255), scale).mul(255); }

/// Shrunk and enlarged again, both rounded to uint8.
Tensor bicubic(const Tensor& values) {
  return quantised(resized(quantised(resized(values, 1.0 / kScale)), kScale));
}

/// The table's measures of one picture, by column.
using Scores = std::map<std::string, double>;

void add_scores(Scores& scores, const std::string& suffix, const Tensor& enlarged, const Tensor& original) {
  const sr::Protocol protocol{.luma = true, .crop_border = kScale};
  scores["psnr_y" + suffix] = sr::psnr(enlarged, original, protocol);
  scores["ssim_y" + suffix] = sr::ssim(enlarged, original, protocol);
}

/// Y alone through the papers' MATLAB pipeline, in which the small picture is not rounded.
void add_luma_scores(Scores& scores, const Tensor& original) {
  const Tensor y = original.size(0) == 1 ? original : sr::luma(original.to(at::kByte)).to(at::kFloat);
  const Tensor enlarged = quantised(resized(resized(y, 1.0 / kScale), kScale));
  const sr::Protocol protocol{.crop_border = kScale};
  scores["psnr_yonly"] = sr::psnr(enlarged, y, protocol);
  scores["ssim_yonly"] = sr::ssim(enlarged, y, protocol);
}

Scores bicubic_scores(const Tensor& original) {
  Scores scores;
  add_scores(scores, "", bicubic(original), original);
  const Tensor multiple = cropped_to_multiple(original, 12);
  add_scores(scores, "_mod12", bicubic(multiple), multiple);
  add_luma_scores(scores, original);
  return scores;
}

void compare_scores(const Row& row, const Scores& scores, double count, Report& report) {
  for (const auto& [column, sum] : scores) {
    const double tolerance = column.starts_with("psnr") ? 1e-3 : 1e-5;
    report.compare(fmt::format("{} {} {}", row.at("set"), row.at("image"), column), sum / count,
                   std::stod(row.at(column)), tolerance);
  }
}

void check_bicubic(const fs::path& table, const Options& options, Report& report) {
  const fs::path data = options.data_for(table);
  std::map<std::string, Scores> sums;
  std::map<std::string, int> counts;
  for (const Row& row : read_table(table)) {
    const std::string set = row.at("set");
    if (row.at("image") == "MEAN") {
      compare_scores(row, sums[set], counts[set], report);
      continue;
    }
    const fs::path picture = data / set / "HR" / (row.at("image") + ".png");
    if (!fs::exists(picture)) return report.skip(fmt::format("{} is missing (--data)", picture.string()));
    const Scores scores = bicubic_scores(read_picture(picture));
    compare_scores(row, scores, 1, report);
    for (const auto& [column, score] : scores) sums[set][column] += score;
    ++counts[set];
  }
}

}  // namespace

void add_image_handlers(Handlers& handlers) {
  handlers["imresize"] = check_imresize;
  handlers["colour"] = check_colour;
  handlers["psnr_ssim"] = check_psnr_ssim;
  handlers["formula"] = check_formula;
}

void add_image_files(FileHandlers& handlers) { handlers["bicubic_x4.tsv"] = check_bicubic; }

}  // namespace golden
