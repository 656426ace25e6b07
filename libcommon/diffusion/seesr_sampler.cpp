#include "diffusion/seesr_sampler.h"

#include <array>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "core/random.h"
#include "core/signals.h"
#include "image/samples.h"

namespace sr {
namespace {

constexpr int64_t kLatentChannels = 4, kLatentSide = 8;  // in pixels

void check_picture(const Tensor& picture) {
  const bool usable = picture.dim() == 4 && picture.size(0) == 1 && picture.size(1) == 3 &&
                      picture.numel() > 0 && picture.size(2) % kLatentSide == 0 &&
                      picture.size(3) % kLatentSide == 0;
  if (!usable)
    throw Error(fmt::format("SeeSR works at RGB pictures [1,3,H,W] with sides of multiples of {}, not [{}]",
                            kLatentSide, fmt::join(picture.sizes(), ",")));
}

void check_finite(const Tensor& values, const std::string& what) {
  if (!values.isfinite().all().item<bool>())
    throw Error(fmt::format("{} came out with values that are no numbers", what));
}

/// Noise for the latents of a picture, beside it.
Tensor noise_for(const Tensor& picture, const NoiseSource& noise, const std::string& purpose) {
  const std::array<int64_t, 4> shape{1, kLatentChannels, picture.size(2) / kLatentSide,
                                     picture.size(3) / kLatentSide};
  return noise(purpose, shape).to(picture.device());
}

/// The predictions for whole latents, of whatever many tiles.
class TiledPrediction {
 public:
  TiledPrediction(const Tensor& picture, const SeesrNetworks& networks, const LatentTiling& tiling)
      : tiles_(picture.size(2) / kLatentSide, picture.size(3) / kLatentSide, tiling) {
    for (const LatentTile& tile : tiles_.tiles()) {
      check_interrupted();
      shown_.push_back(networks.show(tiles_.part(picture, tile, kLatentSide)));
    }
  }

  /// `advanced` learns of each tile.
  Tensor operator()(const Tensor& latents, int64_t timestep, const std::function<void()>& advanced) const {
    return tiles_.stitched([&](size_t i) {
      check_interrupted();
      Tensor prediction = shown_[i](tiles_.part(latents, tiles_.tiles()[i]), timestep);
      advanced();
      return prediction;
    });
  }

  size_t tiles() const { return shown_.size(); }

 private:
  LatentTiles tiles_;
  std::vector<NoisePrediction> shown_;  ///< one a tile
};

}  // namespace

NoiseSource named_noise(std::uint64_t seed, const std::string& item) {
  return [seed, item](const std::string& purpose, at::IntArrayRef shape) {
    Tensor values = at::empty(shape, at::kFloat);
    RandomStream(seed, item, "diffusion " + purpose).fill_normal(values);
    return values;
  };
}

std::vector<int64_t> visited_timesteps(const DdpmSteps& steps, int64_t start_steps) {
  std::vector<int64_t> visited = steps.timesteps();
  std::erase_if(visited, [start_steps](int64_t timestep) { return timestep > start_steps; });
  return visited;
}

SeesrSampler::SeesrSampler(const DdpmScheduler& scheduler, const SeesrOptions& options)
    : scheduler_(scheduler), options_(options), steps_(scheduler, options.steps) {
  const int64_t last = scheduler.config().train_timesteps - 1;
  if (options.start_steps < 0 || options.start_steps > last)
    throw UsageError(
        fmt::format("the timestep to start at must be from 0 to {}, not {}", last, options.start_steps));
  if (!std::isfinite(options.guidance))
    throw UsageError(fmt::format("the guidance can't be {}", options.guidance));
  LatentTiles(1, 1, options.tiling);  // which knows what tiles can't be
}

Tensor SeesrSampler::run(const Tensor& picture, const SeesrNetworks& networks, const NoiseSource& noise,
                         const SeesrHooks& hooks) const {
  const at::NoGradGuard no_grad;
  check_picture(picture);
  const Tensor start = start_latents(picture, networks, noise);
  const Tensor latents = denoised(start, picture, networks, noise, hooks);
  const Tensor decoded = networks.decode(latents / networks.scale).to(at::kFloat);
  check_finite(decoded, "the decoded picture");
  return rounded_to_8_bits(decoded / 2 + 0.5);
}

Tensor SeesrSampler::start_latents(const Tensor& picture, const SeesrNetworks& networks,
                                   const NoiseSource& noise) const {
  Tensor start = noise_for(picture, noise, "latents");
  if (options_.start == SeesrOptions::Start::noise) return start;
  const Tensor encoded = networks.encode(picture * 2 - 1, noise_for(picture, noise, "vae")).to(at::kFloat);
  check_finite(encoded, "the encoded picture");
  return scheduler_.add_noise(encoded * networks.scale, start, torch::tensor({options_.start_steps}));
}

Tensor SeesrSampler::guided(const Tensor& predictions) const {
  const int64_t expected = options_.guided() ? 2 : 1;
  if (predictions.size(0) != expected)
    throw Error(
        fmt::format("the networks predict for {} prompts instead of {}", predictions.size(0), expected));
  if (!options_.guided()) return predictions;
  const Tensor without = predictions.narrow(0, 0, 1), with = predictions.narrow(0, 1, 1);
  return without + options_.guidance * (with - without);
}

Tensor SeesrSampler::denoised(Tensor latents, const Tensor& picture, const SeesrNetworks& networks,
                              const NoiseSource& noise, const SeesrHooks& hooks) const {
  const TiledPrediction predict(picture, networks, options_.tiling);
  const std::vector<int64_t> visited = visited_timesteps(steps_, options_.start_steps);
  const auto count = static_cast<int64_t>(visited.size());
  const double part = 1 / static_cast<double>(visited.size() * predict.tiles());
  const auto advance = [&] {
    if (hooks.advanced) hooks.advanced(part);
  };
  for (int64_t i = 0; i < count; ++i) {
    const int64_t timestep = visited[static_cast<size_t>(i)];
    const Tensor prediction = guided(predict(latents, timestep, advance)).to(at::kFloat);
    latents = steps_.step(latents, prediction, timestep, noise_for(picture, noise, fmt::format("step{}", i)));
    check_finite(latents, fmt::format("step {} of {} (timestep {})", i + 1, count, timestep));
    if (hooks.stepped) hooks.stepped({i, count, timestep, prediction, latents});
  }
  return latents;
}

}  // namespace sr
