// NIQE and IL-NIQE, and published values of original programs that our weights reach. Tolerances:
// ../shared/golden/metrics/README.md.

#include <fmt/format.h>

#include "case.h"
#include "core/error.h"
#include "image/colour.h"
#include "image/decode.h"
#include "quality/ilniqe.h"
#include "quality/natural_scene.h"
#include "quality/niqe.h"
#include "quality/psnr_ssim.h"
#include "weights/checkpoint.h"

namespace golden {
namespace {

using sr::IlNiqe;
using sr::Niqe;
using sr::NiqeVariant;

constexpr double kTolerance = 1e-3;  // IL-NIQE's is relative

/// Recorded pictures are uint8 H x W x 3 or H x W; measures take [1,C,H,W] in [0,1].
Tensor image_of(const Tensor& u8) {
  const Tensor planes = u8.dim() == 2 ? u8.unsqueeze(0) : u8.permute({2, 0, 1});
  return planes.unsqueeze(0).to(at::kFloat).div(255).contiguous();
}

/// A file that a case names by its path from the folder above `data`.
fs::path named_file(const fs::path& data, const std::string& name) {
  return data / fs::path(name).lexically_relative("data");
}

Tensor read_image(const fs::path& path) { return sr::decode(sr::open_picture(path)).unsqueeze(0); }

StateDict niqe_parameters(const fs::path& data) {
  return sr::load_checkpoint(data / "niqe/niqe_pris_params.safetensors");
}

IlNiqe il_niqe(const fs::path& data) {
  return IlNiqe(sr::load_checkpoint(data / "niqe/ilniqe_template.safetensors"));
}

/// Skips where what the case needs is not here.
bool is_missing(const fs::path& path, Report& report) {
  if (!fs::exists(path)) report.skip(fmt::format("{} is missing (--data)", path.string()));
  return !fs::exists(path);
}

// --- cases ---------------------------------------------------------------------------------------

/// The normalised contrast of both scales.
void compare_contrast(const Case& recorded, Report& report, const Tensor& plane, const Tensor& window) {
  const auto whole = [](std::int64_t n) { return n / sr::kNiqeBlock * sr::kNiqeBlock; };
  const Tensor cropped =
      plane.slice(0, 0, whole(plane.size(0))).slice(1, 0, whole(plane.size(1))).contiguous();
  report.compare("mscn1", sr::normalised_contrast(cropped, window).values, recorded.out("mscn1"), 1e-6);
  report.compare("mscn2", sr::normalised_contrast(sr::niqe_half_size(cropped), window).values,
                 recorded.out("mscn2"), kTolerance);
}

void compare_features(const Case& recorded, Report& report, const Tensor& features) {
  report.compare("features", features, recorded.out("features"), kTolerance);
  report.compare("mu", sr::nan_mean(features), recorded.out("mu"), kTolerance);
  const Tensor rows = sr::whole_rows(features);
  report.compare("cov", rows.size(0) == 1 ? rows.var() : sr::column_covariance(rows), recorded.out("cov"),
                 kTolerance);
  // BasicSR keeps float32 maps: what it would answer without is no published number.
  recorded.leave("features_f64");
  recorded.leave("basicsr_f64");
}

void check_niqe(const Case& recorded, Report& report) {
  const fs::path data = Options{}.data_for(recorded.path);
  if (is_missing(data / "niqe", report)) return;
  const StateDict parameters = niqe_parameters(data);
  const Tensor image = image_of(recorded.in("img")), plane = sr::niqe_plane(image);
  report.compare_integers("y", plane, recorded.out("y"), 1, 1e-4);
  if (recorded.has("out.mscn1")) compare_contrast(recorded, report, plane, parameters.at("gaussian_window"));
  compare_features(recorded, report, Niqe(parameters).features(image));
  const auto compare = [&](const std::string& name, NiqeVariant variant, std::int64_t crop) {
    if (!recorded.has("out." + name)) return;
    report.compare(name, Niqe(parameters, {variant, crop})(image), recorded.out(name).item<double>(),
                   kTolerance);
  };
  compare("basicsr", NiqeVariant::basicsr, 0);
  compare("basicsr_crop4", NiqeVariant::basicsr, 4);
  compare("basicsr_gray", NiqeVariant::basicsr_gray, 0);
  compare("pyiqa_yiq", NiqeVariant::pyiqa, 0);
  compare("pyiqa_ycbcr", NiqeVariant::pyiqa_ycbcr, 0);
}

void check_ilniqe(const Case& recorded, Report& report) {
  const fs::path data = Options{}.data_for(recorded.path);
  const fs::path picture = named_file(data, recorded.info().at("file"));
  if (is_missing(data / "niqe", report) || is_missing(picture, report)) return;
  const IlNiqe measure = il_niqe(data);
  const Tensor image = read_image(picture);
  report.compare_relative("features", measure.features(image), recorded.out("features"), kTolerance);
  report.compare_relative("score", at::scalar_tensor(measure(image), at::kDouble), recorded.out("score"),
                          kTolerance);
}

// --- tables --------------------------------------------------------------------------------------

using Score = std::function<double(const Tensor&)>;

/// Scores of whole pictures: column `file`, and one for each of `scores`.
void check_table(const fs::path& table, const fs::path& data, const std::map<std::string, Score>& scores,
                 bool relative, Report& report) {
  for (const auto& row : read_table(table)) {
    const fs::path picture = named_file(data, row.at("file"));
    if (is_missing(picture, report)) return;
    const Tensor image = read_image(picture);
    for (const auto& [column, score] : scores) {
      const double expected = std::stod(row.at(column));
      report.compare(row.at("file") + ' ' + column, score(image), expected,
                     relative ? kTolerance * expected : kTolerance);
    }
  }
}

void check_niqe_table(const fs::path& table, const Options& options, Report& report) {
  const fs::path data = options.data_for(table);
  if (is_missing(data / "niqe", report)) return;
  const StateDict parameters = niqe_parameters(data);
  const auto score = [&](NiqeVariant variant, std::int64_t crop) {
    return Niqe(parameters, {variant, crop});
  };
  check_table(table, data,
              {{"basicsr_y", score(NiqeVariant::basicsr, 0)},
               {"basicsr_y_crop4", score(NiqeVariant::basicsr, 4)},
               {"basicsr_gray", score(NiqeVariant::basicsr_gray, 0)},
               {"pyiqa_yiq", score(NiqeVariant::pyiqa, 0)},
               {"pyiqa_ycbcr", score(NiqeVariant::pyiqa_ycbcr, 0)}},
              false, report);
}

void check_ilniqe_table(const fs::path& table, const Options& options, Report& report) {
  const fs::path data = options.data_for(table);
  if (is_missing(data / "niqe", report)) return;
  check_table(table, data, {{"pyiqa_ilniqe", il_niqe(data)}}, true, report);
}

// --- calibration ---------------------------------------------------------------------------------

/// What answers a row of the calibration tables, of a distorted picture and its original, and how near: the
/// programs differ among themselves.
struct Answer {
  std::function<double(const Tensor&, const Tensor&)> score;
  double relative;  ///< tolerance
};
using Answers = std::map<std::string, Answer>;  ///< by "metric origin"

Tensor in_255(const Tensor& image) { return image[0].mul(255).round(); }

void add_fidelity(Answers& answers) {
  const auto psnr = [](bool luma) {
    return
        [luma](const Tensor& a, const Tensor& b) { return sr::psnr(in_255(a), in_255(b), {.luma = luma}); };
  };
  const auto ssim = [](bool luma) {
    return
        [luma](const Tensor& a, const Tensor& b) { return sr::ssim(in_255(a), in_255(b), {.luma = luma}); };
  };
  const auto full_range_ssim = [](const Tensor& a, const Tensor& b) {
    return sr::ssim(in_255(sr::luma_full_range(a)), in_255(sr::luma_full_range(b)));
  };
  const auto pyiqa_ssim = [](const Tensor& a, const Tensor& b) {
    return sr::ssim(in_255(sr::luma_full_range(a)), in_255(sr::luma_full_range(b)), {.pyiqa_ssim = true});
  };
  answers["psnr published by pyiqa"] = {psnr(false), 1e-5};
  answers["psnr published original program"] = {psnr(false), 1e-3};
  answers["psnr run here: rgb BasicSR"] = {psnr(false), 1e-6};
  answers["psnr run here: y BasicSR"] = {psnr(true), 1e-6};
  answers["ssim published original program"] = {full_range_ssim, 1e-3};
  answers["ssim published by pyiqa"] = {pyiqa_ssim, 1e-4};
  answers["ssim run here: pyiqa (y of yiq)"] = {pyiqa_ssim, 2e-5};
  answers["ssim run here: rgb BasicSR"] = {ssim(false), 1e-6};
  answers["ssim run here: y BasicSR"] = {ssim(true), 1e-6};
}

void add_natural_scene(Answers& answers, const fs::path& data) {
  const StateDict parameters = niqe_parameters(data);
  const auto niqe = [&](NiqeVariant variant) {
    return [measure = Niqe(parameters, {variant})](const Tensor& image, const Tensor&) {
      return measure(image);
    };
  };
  answers["niqe published by pyiqa"] = {niqe(NiqeVariant::pyiqa), 1e-3};
  answers["niqe published original program"] = {niqe(NiqeVariant::basicsr_gray), 1e-2};
  answers["niqe published MATLAB R2021a (BasicSR docstring)"] = {niqe(NiqeVariant::basicsr), 1e-4};
  answers["niqe published BasicSR"] = {niqe(NiqeVariant::basicsr), 1e-4};
  answers["niqe run here: BasicSR gray"] = {niqe(NiqeVariant::basicsr_gray), 1e-4};
  answers["niqe run here: BasicSR y"] = {niqe(NiqeVariant::basicsr), 1e-4};
  answers["niqe run here: pyiqa ycbcr"] = {niqe(NiqeVariant::pyiqa_ycbcr), 1e-4};
  answers["niqe run here: pyiqa yiq"] = {niqe(NiqeVariant::pyiqa), 1e-4};
  const auto ilniqe = [measure = il_niqe(data)](const Tensor& image, const Tensor&) {
    return measure(image);
  };
  answers["ilniqe published by pyiqa"] = {ilniqe, 2e-3};
  answers["ilniqe published original program"] = {ilniqe, 3.5e-2};
  answers["ilniqe run here: pyiqa"] = {ilniqe, 1e-3};
}

/// Rows without an answer are passed over: those of measures whose backbones are not here (LPIPS, DISTS,
/// MUSIQ).
void check_calibration(const fs::path& table, const Options& options, Report& report) {
  const fs::path data = options.data_for(table), pictures = data / "calibration";
  if (is_missing(data / "niqe", report) || is_missing(pictures, report)) return;
  Answers answers;
  add_fidelity(answers);
  add_natural_scene(answers, data);
  for (const auto& row : read_table(table)) {
    const std::string name = row.at("metric") + ' ' + row.at("origin");
    const auto answer = answers.find(name);
    if (answer == answers.end()) continue;
    for (const auto& [column, value] : row) {
      if (column == "metric" || column == "origin") continue;
      const bool single = column == "value";  // calibration_baboon.tsv
      const Tensor image =
          read_image(single ? pictures / "baboon.png" : pictures / "dist" / (column + ".png"));
      const Tensor original = single ? image : read_image(pictures / "ref" / (column + ".png"));
      const double expected = std::stod(value);
      report.compare(name + ' ' + column, answer->second.score(image, original), expected,
                     answer->second.relative * expected);
    }
  }
}

}  // namespace

void add_niqe_handlers(Handlers& handlers) {
  handlers["niqe"] = check_niqe;
  handlers["ilniqe"] = check_ilniqe;
}

void add_niqe_files(FileHandlers& handlers) {
  handlers["niqe.tsv"] = check_niqe_table;
  handlers["ilniqe.tsv"] = check_ilniqe_table;
  handlers["calibration.tsv"] = check_calibration;
  handlers["calibration_baboon.tsv"] = check_calibration;
}

}  // namespace golden
