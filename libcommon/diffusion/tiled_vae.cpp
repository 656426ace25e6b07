#include "diffusion/tiled_vae.h"

#include <algorithm>
#include <optional>

#include "core/signals.h"

namespace sr {
namespace {

double area(const Tensor& map) { return static_cast<double>(map.size(2) * map.size(3)); }

double bytes(const VaeState& state) {
  const size_t trunk = state.trunk.defined() ? state.trunk.nbytes() : 0;
  return static_cast<double>(state.map.nbytes() + trunk);
}

/// Means over tiles, weighted by their areas.
class SharedStatistics {
 public:
  void add(const GroupStatistics& tile, double area) {
    const Tensor mean = tile.mean.to(at::kDouble) * area, variance = tile.variance.to(at::kDouble) * area;
    mean_ = mean_.defined() ? mean_ + mean : mean;
    variance_ = variance_.defined() ? variance_ + variance : variance;
    area_ += area;
  }
  GroupStatistics get() const {
    return {.mean = (mean_ / area_).to(at::kFloat), .variance = (variance_ / area_).to(at::kFloat)};
  }

 private:
  Tensor mean_, variance_;
  double area_ = 0;
};

/// The input at the size of a tile, the distribution of its values about as it was.
Tensor shrunken(const Tensor& input, const VaeTiling& tiling) {
  const auto longest = static_cast<double>(std::max(input.size(2), input.size(3)));
  const double scale = static_cast<double>(tiling.size) / longest;
  const auto side = [&](int64_t axis) {  // not so thin that the network cannot shrink it any more
    const auto scaled = static_cast<int64_t>(static_cast<double>(input.size(axis)) * scale);
    return std::max(tiling.shrinks, scaled);
  };
  const Tensor small = at::_upsample_nearest_exact2d(input, {side(2), side(3)}, scale, scale);
  const auto spread = [](const Tensor& map) {
    return at::std_mean(map, at::IntArrayRef{0, 2, 3}, /*unbiased=*/true, /*keepdim=*/true);
  };
  const auto [deviation, mean] = spread(input);
  const auto [small_deviation, small_mean] = spread(small);
  const Tensor divisor = at::where(small_deviation > 0, small_deviation, at::ones_like(small_deviation));
  return ((small - small_mean) / divisor * deviation + mean).clamp(input.min(), input.max());
}

/// One half of an autoencoder on tiles, once.
class TiledRun {
 public:
  TiledRun(const VaeSteps& steps, const Tensor& input, const VaeTiling& tiling,
           const TiledVaeOptions& options)
      : steps_(steps),
        input_(input),
        tiling_(tiling),
        options_(options),
        tiles_(vae_tiles(input.size(2), input.size(3), tiling)),
        statistics_(steps.size()) {
    for (const VaeTile& tile : tiles_) {
      held_.push_back({.map = tile.input.of(input)});
      area_ += area(held_.back().map);
    }
  }

  bool cut() const { return tiles_.size() > 1; }

  Tensor run() {
    if (options_.fast) estimate_statistics();
    for (size_t step = 0; step < steps_.size(); ++step) rounds_ += awaits_statistics(step) ? 1 : 0;
    for (size_t step = 0; step < steps_.size(); ++step) {
      if (awaits_statistics(step)) gather_statistics(step);
    }
    return finish();
  }

 private:
  bool awaits_statistics(size_t step) const { return steps_[step].norm && !statistics_[step]; }

  VaeState taken(size_t step, const VaeState& state) const {
    check_interrupted();
    return steps_[step].run(state, statistics_[step] ? &*statistics_[step] : nullptr);
  }

  /// A tile before the step `to`.
  VaeState brought(size_t tile, size_t to) const {
    VaeState state = held_[tile];
    for (size_t step = held_before_; step < to; ++step) state = taken(step, state);
    return state;
  }

  /// The tile's part of the picture.
  double share(size_t tile) const {
    const Box& box = tiles_[tile].input;
    return static_cast<double>(box.height() * box.width()) / area_;
  }

  void report(size_t tile) const {
    if (options_.advance) options_.advance(share(tile) / rounds_);
  }

  /// All norms' at once, of a picture no larger than a tile.
  void estimate_statistics() {
    VaeState state{.map = shrunken(input_, tiling_)};
    for (size_t step = 0; step < steps_.size(); ++step) {
      if (steps_[step].norm) statistics_[step] = steps_[step].norm->statistics(state.map);
      state = taken(step, state);
    }
  }

  /// Of the norm that `step` begins with. Tiles are held before it from then on, if memory lets them.
  void gather_statistics(size_t step) {
    SharedStatistics shared;
    bool holds = false;
    for (size_t tile = 0; tile < tiles_.size(); ++tile) {
      VaeState state = brought(tile, step);
      shared.add(steps_[step].norm->statistics(state.map), area(state.map));
      if (tile == 0) holds = bytes(state) / share(0) <= static_cast<double>(options_.most_held);
      if (holds) held_[tile] = std::move(state);
      report(tile);
    }
    if (holds) held_before_ = step;
    statistics_[step] = shared.get();
  }

  Tensor finish() {
    Tensor output;
    for (size_t tile = 0; tile < tiles_.size(); ++tile) {
      const Tensor part = tiling_.within(tiles_[tile]).of(brought(tile, steps_.size()).map);
      if (!output.defined()) {
        output = at::empty(
            {part.size(0), part.size(1), tiling_.scaled(input_.size(2)), tiling_.scaled(input_.size(3))},
            part.options());
      }
      tiles_[tile].output.of(output).copy_(part);
      held_[tile] = {};
      report(tile);
    }
    return output;
  }

  const VaeSteps& steps_;
  const Tensor& input_;
  const VaeTiling& tiling_;
  const TiledVaeOptions& options_;
  std::vector<VaeTile> tiles_;
  double area_ = 0;                                         ///< of all tiles, margins too
  std::vector<std::optional<GroupStatistics>> statistics_;  ///< of each step's norm, as far as known
  int rounds_ = 1;                                          ///< that all tiles go
  std::vector<VaeState> held_;                              ///< tiles before the step `held_before_`
  size_t held_before_ = 0;
};

/// How AutoencoderKl is to take its steps.
AutoencoderKl::Runner runner(const VaeTiling& tiling, const TiledVaeOptions& options) {
  return [tiling, &options](const VaeSteps& steps, const Tensor& input) {
    TiledRun tiled(steps, input, tiling, options);
    if (tiled.cut()) {
      const at::NoGradGuard no_grad;
      return tiled.run();
    }
    Tensor output = run_steps(steps, input);
    if (options.advance) options.advance(1);
    return output;
  };
}

}  // namespace

DiagonalGaussian encode_tiled(const AutoencoderKl& vae, const Tensor& images,
                              const TiledVaeOptions& options) {
  return vae.encode(images, runner(encoder_tiling(options.encoder_size, vae.factor()), options));
}

Tensor decode_tiled(const AutoencoderKl& vae, const Tensor& latents, const TiledVaeOptions& options) {
  return vae.decode(latents, runner(decoder_tiling(options.decoder_size, vae.factor()), options));
}

}  // namespace sr
