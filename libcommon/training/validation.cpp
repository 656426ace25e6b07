#include "training/validation.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "core/error.h"
#include "core/signals.h"
#include "image/contact_sheet.h"
#include "image/decode.h"
#include "image/encode.h"
#include "image/resize.h"
#include "image/tensor_rows.h"
#include "quality/dists.h"
#include "quality/lpips.h"
#include "quality/psnr_ssim.h"
#include "training/picture_files.h"

namespace sr {
namespace {

constexpr std::int64_t kSheetRows = 16;

Tensor load_rgb(const Picture& picture) {
  return decode(picture, {AlphaPolicy::Kind::drop}).expand({3, -1, -1}).contiguous();
}

/// As a picture file would keep it.
Tensor to_bytes(const Tensor& image) { return image.mul(255).round_().clamp_(0, 255).to(at::kByte); }
Tensor on_8_bit_grid(const Tensor& image) { return to_bytes(image).to(at::kFloat).div(255); }

Tensor cut_to_multiple(const Tensor& image, std::int64_t scale) {
  return image.slice(1, 0, image.size(1) / scale * scale).slice(2, 0, image.size(2) / scale * scale);
}

/// A row of the sheet: the middle of the LR picture (its pixels as squares), of what was made of it, and of
/// the HR one; [3,h,w] and twice [3,h * scale,w * scale].
void add_row(std::vector<SheetCell>& cells, const std::string& name, const Tensor& lr, const Tensor& answer,
             const Tensor& hr, std::int64_t scale) {
  constexpr int kSide = 256;  // of a crop, in HR pixels
  const auto area = middle_area(static_cast<int>(lr.size(1)), static_cast<int>(lr.size(2)),
                                std::max(1, kSide / static_cast<int>(scale)));
  const auto crop = [&](const Tensor& image, std::int64_t times) {
    return image.slice(1, area.top * times, (area.top + area.height) * times)
        .slice(2, area.left * times, (area.left + area.width) * times)
        .to(at::kCPU)
        .clone();
  };
  cells.push_back({crop(lr, 1).repeat_interleave(scale, 1).repeat_interleave(scale, 2), name + ": LR"});
  cells.push_back({crop(answer, scale), "SR"});
  cells.push_back({crop(hr, scale), "HR"});
}

void write_sample(const Tensor& image, const fs::path& hr, const fs::path& file) {
  make_folders(file.parent_path());
  encode(*rows_of(image), open_picture(hr), file, {Format::parse("png"), Depth::u8, Metadata::strip});
}

}  // namespace

Validation::Validation(const ValidationConfig& config, int scale, const TrainingWeights& weights)
    : config_(config), scale_(scale) {
  const auto protocol = protocol_named(config.protocol, scale);
  measures_.emplace_back("psnr", [protocol](const Tensor& image, const Tensor& reference) {
    return psnr(to_bytes(image[0]), to_bytes(reference[0]), protocol);
  });
  measures_.emplace_back("ssim", [protocol](const Tensor& image, const Tensor& reference) {
    return ssim(to_bytes(image[0]), to_bytes(reference[0]), protocol);
  });
  for (const auto& name : config.measures) add_measure(name, weights);
  const auto files = find_files({config.hr, config.lr, 1}, scale);
  const auto all = static_cast<std::int64_t>(files.hr.size());
  const auto count = static_cast<size_t>(config.pictures > 0 ? std::min(config.pictures, all) : all);
  std::map<std::string, int> used;
  for (size_t i = 0; i < count; i++) {
    auto name = fs::path(files.names[i]).replace_extension().string();
    if (const int before = used[name]++; before > 0) name += fmt::format("-{}", before + 1);
    pairs_.push_back({files.lr.empty() ? fs::path() : files.lr[i], files.hr[i], name});
  }
}

void Validation::add_measure(const std::string& name, const TrainingWeights& weights) {
  const auto add = [&](auto measure) {
    measures_.emplace_back(name, [measure](const Tensor& image, const Tensor& reference) {
      return (*measure)(image, reference);
    });
  };
  if (name == "lpips") {
    add(std::make_shared<const Lpips>(LpipsNet::alex, LpipsVersion::v0_1, weights.load("alexnet"),
                                      weights.load("lpips-alex")));
  } else if (name == "dists") {
    add(std::make_shared<const Dists>(weights.load("vgg16"), weights.load("dists")));
  } else {
    throw UsageError(fmt::format("validation.measures: '{}' is none of lpips, dists", printable(name)));
  }
}

std::pair<Tensor, Tensor> Validation::load(const Pair& pair) const {
  Tensor hr = cut_to_multiple(load_rgb(open_picture(pair.hr)), scale_);
  if (!pair.lr.empty()) return {load_rgb(open_picture(pair.lr)), hr};
  const Tensor lr = imresize(hr.contiguous(), 1.0 / scale_);
  return {on_8_bit_grid(lr), hr};
}

ValidationScores Validation::run(const Enhance& enhanced, const fs::path& samples) const {
  ValidationScores scores;
  for (const auto& [name, measure] : measures_) scores.means.emplace_back(name, 0);
  std::vector<SheetCell> cells;
  for (const auto& pair : pairs_) {
    check_interrupted();
    const auto [lr, hr] = load(pair);
    const Tensor answer = enhanced(lr.unsqueeze(0), pair.hr.filename().string())[0];
    if (answer.sizes() != hr.sizes()) {
      throw UsageError(fmt::format("{}: {}x{} was made of its LR picture, not {}x{}",
                                   printable(pair.hr.string()), answer.size(2), answer.size(1), hr.size(2),
                                   hr.size(1)));
    }
    const Tensor image = on_8_bit_grid(answer).unsqueeze(0), reference = on_8_bit_grid(hr).unsqueeze(0);
    for (size_t i = 0; i < measures_.size(); i++)
      scores.means[i].second += measures_[i].second(image, reference);
    if (scores.pictures < std::min(config_.samples, kSheetRows))
      add_row(cells, printable(pair.name), lr, answer, hr, scale_);
    if (scores.pictures++ < config_.samples) write_sample(answer, pair.hr, samples / (pair.name + ".png"));
  }
  if (!cells.empty()) write_contact_sheet(sheet_file(samples.string() + ".png"), cells, 3);
  for (auto& [name, mean] : scores.means) mean /= static_cast<double>(scores.pictures);
  return scores;
}

}  // namespace sr
