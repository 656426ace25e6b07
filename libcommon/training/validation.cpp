#include "training/validation.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/signals.h"
#include "image/decode.h"
#include "image/encode.h"
#include "image/resize.h"
#include "image/tensor_rows.h"
#include "training/picture_files.h"

namespace sr {
namespace {

Tensor load_rgb(const Picture& picture) {
  return decode(picture, {AlphaPolicy::Kind::drop}).expand({3, -1, -1}).contiguous();
}

/// To 8 bits, as everything that is compared was stored.
Tensor quantised(const Tensor& image) { return image.mul(255).round_().clamp_(0, 255).to(at::kByte); }

Tensor cut_to_multiple(const Tensor& image, std::int64_t scale) {
  return image.slice(1, 0, image.size(1) / scale * scale).slice(2, 0, image.size(2) / scale * scale);
}

void write_sample(const Tensor& image, const fs::path& hr, const fs::path& folder) {
  fs::create_directories(folder);
  encode(*rows_of(image), open_picture(hr), folder / hr.stem().concat(".png"),
         {Format::parse("png"), Depth::u8, Metadata::strip});
}

}  // namespace

Validation::Validation(const ValidationConfig& config, int scale)
    : config_(config), scale_(scale), protocol_(protocol_named(config.protocol, scale)) {
  const auto files = find_files({config.hr, config.lr, 1}, scale);
  for (size_t i = 0; i < files.hr.size(); i++)
    pairs_.push_back({files.lr.empty() ? fs::path() : files.lr[i], files.hr[i]});
}

std::pair<Tensor, Tensor> Validation::load(const Pair& pair) const {
  Tensor hr = cut_to_multiple(load_rgb(open_picture(pair.hr)), scale_);
  if (!pair.lr.empty()) return {load_rgb(open_picture(pair.lr)), hr};
  const Tensor lr = imresize(hr.contiguous(), 1.0 / scale_);
  return {quantised(lr).to(at::kFloat).div(255), hr};
}

ValidationScores Validation::run(const std::function<Tensor(const Tensor&)>& enhanced,
                                 const fs::path& samples) const {
  ValidationScores scores;
  for (const auto& pair : pairs_) {
    check_interrupted();
    auto [lr, hr] = load(pair);
    const Tensor answer = enhanced(lr.unsqueeze(0))[0];
    hr = cut_to_multiple(hr, scale_);
    if (answer.sizes() != hr.sizes()) {
      throw UsageError(fmt::format("{}: {}x{} was made of its LR picture, not {}x{}",
                                   printable(pair.hr.string()), answer.size(2), answer.size(1), hr.size(2),
                                   hr.size(1)));
    }
    scores.psnr += psnr(quantised(answer), quantised(hr), protocol_);
    scores.ssim += ssim(quantised(answer), quantised(hr), protocol_);
    if (scores.pictures++ < config_.samples) write_sample(answer, pair.hr, samples);
  }
  scores.psnr /= static_cast<double>(scores.pictures);
  scores.ssim /= static_cast<double>(scores.pictures);
  return scores;
}

}  // namespace sr
