#include "training/sample_maker.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>

#include "core/error.h"
#include "degrade/apply.h"
#include "degrade/draw.h"
#include "degrade/interpolate.h"
#include "image/samples.h"
#include "image/vips.h"
#include "training/augmentation.h"
#include "training/picture_files.h"
#include "training/shrunken_crop.h"

namespace sr {
namespace {

void check(const DataConfig& config) {
  if (config.scale < 1) throw UsageError(fmt::format("a scale of {}", config.scale));
  if (config.crop < 1 || config.crop % config.scale != 0) {
    throw UsageError(fmt::format("a crop of {} is no multiple of the scale {}", config.crop, config.scale));
  }
}

Pipeline find_pipeline(const DataConfig& config) {
  auto pipeline = read_pipeline(config.degradation, config.presets);
  pipeline.scale = config.scale;
  return pipeline;
}

/// True for a pipeline that shrinks as MATLAB does, always by the scale, and does no more.
bool is_plain_shrink(const Pipeline& pipeline) {
  if (pipeline.steps.size() != 1 || pipeline.pair.sharpen) return false;
  const auto& step = pipeline.steps.front();
  const auto* resize = std::get_if<ResizeSpec>(&step.spec);
  if (resize == nullptr || step.prob < 1 || step.only_at_scale > 0 || resize->of_lr) return false;
  if (resize->modes.values != std::vector{ResizeMode::matlab}) return false;
  const auto& divisor = resize->divisor;
  return resize->factor > 0 ? resize->factor * pipeline.scale == 1
                            : divisor.from == 0 && divisor.to == 0 && divisor.from_per_factor == 1 &&
                                  divisor.to_per_factor == 1;
}

Rectangle draw_place(PictureSize within, std::int64_t height, std::int64_t width, RandomStream& stream) {
  const auto top = stream.integer(0, within.height - height);
  return {top, stream.integer(0, within.width - width), height, width};
}

Tensor cut(const Tensor& image, const Rectangle& part) {
  return image.narrow(-2, part.top, part.height).narrow(-1, part.left, part.width);
}

/// What `make` gives for `item`, or for another name while that fails: a small crop can't take every recipe.
template <class Make>
TrainingSample feasible(const std::string& item, const Make& make) {
  constexpr int kAttempts = 20;
  for (int attempt = 1; attempt < kAttempts; attempt++) {
    try {
      return make(attempt == 1 ? item : fmt::format("{} attempt {}", item, attempt));
    } catch (const Error&) {  // the last attempt's is told
    }
  }
  return make(fmt::format("{} attempt {}", item, kAttempts));
}

/// [1,3,height,width].
Tensor whole(const Pixels& pixels) {
  return planes_of(pixels, {0, 0, pixels.size.height, pixels.size.width}).unsqueeze(0);
}

PictureSize size_of(const Tensor& image) { return {image.size(-2), image.size(-1)}; }

Rectangle in_hr(const Rectangle& lr, std::int64_t scale) {
  return {lr.top * scale, lr.left * scale, lr.height * scale, lr.width * scale};
}

/// [3,h,w] to [3,side,side].
Tensor enlarged(const Tensor& lr, std::int64_t side) {
  if (lr.size(-1) == side) return lr;
  return rounded_to_8_bits(interpolate_to(lr.unsqueeze(0), side, side, Interpolation::bicubic))[0];
}

/// A caption's file, which may end a line.
std::string read_caption(const fs::path& file) {
  auto text = read_file(file);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text;
}

}  // namespace

int official_margin(const std::string& degradation) { return degradation == "realesrgan" ? 144 : 0; }

SampleMaker::SampleMaker(const DataConfig& config, int threads) : config_(config) {
  check(config);
  std::vector<fs::path> files;
  for (const auto& source : config.sources) {
    const auto found = find_files(source, config.scale);
    const auto first = files.size();
    sources_.push_back({first, first + found.hr.size(), !found.lr.empty(), found.tags});
    planned_.push_back({found.hr.size(), source.weight});
    files.insert(files.end(), found.hr.begin(), found.hr.end());
    files.insert(files.end(), found.lr.begin(), found.lr.end());
  }
  if (std::any_of(sources_.begin(), sources_.end(), [](const Source& source) { return !source.paired; })) {
    pipeline_ = find_pipeline(config);
    plain_shrink_ = is_plain_shrink(*pipeline_);
    if (config.margin < 0) config_.margin = official_margin(config.degradation);
  }
  store_ = std::make_unique<PictureStore>(std::move(files), config, threads);
  if (config_.whole) return;  // any sizes will do
  check_crops();
  check_pairs();
}

void SampleMaker::check_crops() const {
  std::vector<size_t> small;
  for (size_t s = 0; s < sources_.size(); s++) {
    for (size_t i = sources_[s].hr; i < sources_[s].hr + planned_[s].pictures; i++) {
      const auto [height, width] = store_->size_of(i);
      if (std::min(height, width) < config_.crop) small.push_back(i);
    }
  }
  if (small.empty()) return;
  const auto [height, width] = store_->size_of(small.front());
  const auto more = small.size() > 1 ? fmt::format(" (and {} more like it)", small.size() - 1) : "";
  throw UsageError(fmt::format("{}: {}x{} pixels are too few for a crop of {}x{}{}",
                               printable(store_->file(small.front()).string()), width, height, config_.crop,
                               config_.crop, more));
}

void SampleMaker::check_pairs() const {
  for (size_t s = 0; s < sources_.size(); s++) {
    if (!sources_[s].paired) continue;
    for (size_t i = 0; i < planned_[s].pictures; i++) {
      const auto hr = store_->size_of(sources_[s].hr + i), lr = store_->size_of(sources_[s].lr + i);
      const auto scale = scale_of(hr, lr);
      if (lr.height * scale == hr.height && lr.width * scale == hr.width) continue;
      throw UsageError(fmt::format("{}: its {}x{} pixels are not {} times the {}x{} of {}",
                                   printable(store_->file(sources_[s].hr + i).string()), hr.width, hr.height,
                                   config_.scale, lr.width, lr.height,
                                   printable(store_->file(sources_[s].lr + i).string())));
    }
  }
}

TrainingSample SampleMaker::make(const PlannedSample& sample) {
  auto made = pair(sample);
  made.repeats = repeats(sample);
  if (config_.enlarged) made.lr = enlarged(made.lr, config_.crop);
  const auto& captions = sources_[sample.source].captions;
  if (!captions.empty()) made.caption = read_caption(captions[sample.picture]);
  return made;
}

Repeats SampleMaker::repeats(const PlannedSample& sample) const {
  const auto [height, width] = store_->size_of(hr_picture(sample));
  const bool whole = config_.whole || (height == config_.crop && width == config_.crop);
  return {.hr = whole, .lr = whole && (sources_[sample.source].paired || plain_shrink_)};
}

TrainingSample SampleMaker::pair(const PlannedSample& sample) {
  if (sources_[sample.source].paired) return config_.whole ? whole_pair(sample) : paired(sample);
  return naming_errors(printable(store_->file(hr_picture(sample)).string()), [&] {
    if (config_.whole) return whole_degraded(sample);
    return plain_shrink_ ? shrunken(sample) : degraded(sample);
  });
}

TrainingSample SampleMaker::paired(const PlannedSample& sample) {
  const auto hr = store_->pixels(hr_picture(sample));
  const auto lr = store_->pixels(sources_[sample.source].lr + sample.picture);
  auto places = stream(sample, "crop");
  const auto scale = scale_of(hr.size, lr.size);
  const auto crop = draw_lr_crop(lr.size, scale, places);
  return turned(planes_of(lr, crop), planes_of(hr, in_hr(crop, scale)), sample);
}

TrainingSample SampleMaker::whole_pair(const PlannedSample& sample) {
  const auto resized = [this](const Pixels& pixels) {
    return interpolate_to(whole(pixels), config_.crop, config_.crop, Interpolation::bilinear)[0];
  };
  return turned(resized(store_->pixels(sources_[sample.source].lr + sample.picture)),
                resized(store_->pixels(hr_picture(sample))), sample);
}

TrainingSample SampleMaker::whole_degraded(const PlannedSample& sample) {
  const auto picture = whole(store_->pixels(hr_picture(sample)));
  return feasible(sample.item, [&](const std::string& item) {
    const auto recipe = draw_recipe(*pipeline_, {item, picture.size(2), picture.size(3)},
                                    {.resize = config_.crop, .pair = true}, config_.seed);
    const auto hr = cut_hr(picture, recipe);
    const auto lr =
        interpolate_to(degrade(hr, {&recipe, 1}), config_.crop, config_.crop, Interpolation::bicubic);
    return turned(rounded_to_8_bits(lr)[0], rounded_to_8_bits(hr)[0], sample);
  });
}

TrainingSample SampleMaker::shrunken(const PlannedSample& sample) {
  const auto hr = store_->pixels(hr_picture(sample));
  auto places = stream(sample, "crop");
  const auto scale = config_.scale;
  const auto crop = draw_lr_crop({hr.size.height / scale, hr.size.width / scale}, scale, places);
  return turned(shrunken_crop(hr, scale, crop), planes_of(hr, in_hr(crop, scale)), sample);
}

TrainingSample SampleMaker::degraded(const PlannedSample& sample) {
  const auto pixels = store_->pixels(hr_picture(sample));
  const std::int64_t scale = config_.scale, side = config_.crop + config_.margin;
  auto places = stream(sample, "crop"), turns = stream(sample, "augmentation");
  const auto part = draw_place(pixels.size, std::min(side, pixels.size.height) / scale * scale,
                               std::min(side, pixels.size.width) / scale * scale, places);
  const auto augmentation = draw_augmentation(config_.flip, config_.rotate, turns);
  const auto image = augmented(planes_of(pixels, part), augmentation).contiguous().unsqueeze(0);
  const auto pair = feasible(sample.item, [&](const std::string& item) { return degrade_part(image, item); });
  const auto crop = draw_lr_crop(size_of(pair.lr), scale, places);
  return {cut(pair.lr, crop), cut(pair.hr, in_hr(crop, scale))};
}

TrainingSample SampleMaker::degrade_part(const Tensor& hr, const std::string& item) const {
  auto recipe = draw_recipe(*pipeline_, {item, hr.size(2), hr.size(3)}, {}, config_.seed);
  recipe.cut.sharpen = pipeline_->pair.sharpen;
  const auto kept = cut_hr(hr, recipe);
  const auto lr = rounded_to_8_bits(degrade(kept, {&recipe, 1}));
  if (lr.size(2) * config_.scale != kept.size(2) || lr.size(3) * config_.scale != kept.size(3))
    throw Error(fmt::format("{} does not end at the LR size", printable(config_.degradation)));
  return {lr[0], kept[0]};
}

std::int64_t SampleMaker::scale_of(PictureSize hr, PictureSize lr) const {
  const bool same = config_.enlarged && lr.height == hr.height && lr.width == hr.width;
  return same ? 1 : config_.scale;
}

Rectangle SampleMaker::draw_lr_crop(PictureSize lr, std::int64_t scale, RandomStream& stream) const {
  const auto side = config_.crop / scale;
  return draw_place(lr, side, side, stream);
}

TrainingSample SampleMaker::turned(const Tensor& lr, const Tensor& hr, const PlannedSample& sample) const {
  auto turns = stream(sample, "augmentation");
  const auto augmentation = draw_augmentation(config_.flip, config_.rotate, turns);
  return {augmented(lr, augmentation), augmented(hr, augmentation)};
}

RandomStream SampleMaker::stream(const PlannedSample& sample, std::string_view purpose) const {
  return {config_.seed, sample.item, purpose};
}

}  // namespace sr
