#pragma once
// SeeSR's sampler: from an LR picture, enlarged, to the picture that the networks make of it. Paper: Wu et
// al., "SeeSR: Towards Semantics-Aware Real-World Image Super-Resolution", CVPR 2024. Code held against:
// cswry/SeeSR pipelines/pipeline_seesr.py StableDiffusionControlNetPipeline.__call__ (@8edecc7).
//
// Latents are float32 whatever the networks' precision is, on the picture's device.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/torch.h"
#include "diffusion/ddpm_scheduler.h"
#include "diffusion/latent_tiles.h"

namespace sr {

struct SeesrOptions {
  enum class Start {
    lr,     ///< the LR picture's latents under the noise of timestep `start_steps`
    noise,  ///< noise alone
  };

  int64_t steps = 50;
  double guidance = 5.5;  ///< how far to go from the negative prompt's prediction towards the prompt's
  Start start = Start::lr;
  int64_t start_steps = 999;  ///< timesteps above are left out
  LatentTiling tiling = {};

  /// At 1 or less the negative prompt isn't asked.
  bool guided() const { return guidance > 1; }
};

/// Predicts the noise of latents [1,4,h,w] at a timestep: [N,4,h,w], of the negative prompt and the prompt
/// where guided, else of the prompt alone.
using NoisePrediction = std::function<Tensor(const Tensor& latents, int64_t timestep)>;

/// The networks, to whom texts and RAM's tokens have been shown.
struct SeesrNetworks {
  /// A picture [1,3,8h,8w] in [-1,1] and standard normal noise [1,4,h,w] -> latents drawn by it, not scaled.
  std::function<Tensor(const Tensor& picture, const Tensor& noise)> encode;
  /// Latents [1,4,h,w], not scaled -> a picture [1,3,8h,8w] about [-1,1].
  std::function<Tensor(const Tensor& latents)> decode;
  /// Shows the ControlNet a picture [1,3,8h,8w] in [0,1], the whole or a tile, once for all steps.
  std::function<NoisePrediction(const Tensor& picture)> show;
  double scale = 0.18215;  ///< diffusion's latents are the autoencoder's times this
};

/// Standard normal float32 of that shape, for a purpose: "latents" for the start, "vae" for the LR picture's
/// latents, "step0" ... for the steps that are taken. Asked once each, in this order.
using NoiseSource = std::function<Tensor(const std::string& purpose, at::IntArrayRef shape)>;

/// By streams of random numbers keyed by the seed, the item's name and the purpose.
NoiseSource named_noise(std::uint64_t seed, const std::string& item);

struct SeesrStep {
  int64_t index, count;  ///< from 0, of those that are taken
  int64_t timestep;
  Tensor prediction, latents;  ///< after tiles and guidance; after the step
};

/// Either may be left out.
struct SeesrHooks {
  std::function<void(double part)> advanced;  ///< after each prediction; the parts sum to 1
  std::function<void(const SeesrStep&)> stepped;
};

/// The timesteps that aren't above `start_steps`.
std::vector<int64_t> visited_timesteps(const DdpmSteps& steps, int64_t start_steps);

class SeesrSampler {
 public:
  /// Throws UsageError where the options are none that can be worked with.
  SeesrSampler(const DdpmScheduler& scheduler, const SeesrOptions& options);
  /// `picture`: [1,3,H,W] float32 in [0,1], sides multiples of 8. The answer is of its size, in [0,1], on the
  /// 8-bit grid, its colours not yet fixed. Throws Error for another picture, where the networks' answers
  /// don't go with the guidance, or with the step's number where something isn't finite; Interrupted, between
  /// tiles, where a signal came.
  Tensor run(const Tensor& picture, const SeesrNetworks& networks, const NoiseSource& noise,
             const SeesrHooks& hooks = {}) const;

 private:
  Tensor start_latents(const Tensor& picture, const SeesrNetworks& networks, const NoiseSource& noise) const;
  Tensor denoised(Tensor latents, const Tensor& picture, const SeesrNetworks& networks,
                  const NoiseSource& noise, const SeesrHooks& hooks) const;
  Tensor guided(const Tensor& predictions) const;

  DdpmScheduler scheduler_;
  SeesrOptions options_;
  DdpmSteps steps_;
};

}  // namespace sr
