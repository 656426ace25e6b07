#pragma once
// A degradation pipeline as data: which operators, in which order, with which probabilities and ranges.
// share/presets/degrade-*.toml hold the papers' own; README.md beside them explains the format.

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/files.h"
#include "degrade/recipe.h"

namespace sr {

/// A number to draw uniformly from [from, to), or from `from`, `from + step`, ... `to` where there is a step.
/// Ends may grow with the factor by which the picture is still to shrink.
struct Range {
  double from = 0, to = 0;
  double from_per_factor = 0, to_per_factor = 0;
  double step = 0;
};

/// One of several, with probabilities that sum to 1.
template <class T>
struct Choice {
  std::vector<T> values;
  std::vector<double> probabilities;
};

struct SharpenSpec {
  UsmOptions usm;
};

struct BlurSpec {
  Range size;       ///< odd
  double sinc = 0;  ///< probability of a sinc instead of `kernels`
  Choice<KernelKind> kernels;
  Range sigma;     ///< pixels; both axes of anisotropic kernels
  Range variance;  ///< of anisotropic kernels, instead of `sigma`, where variance.to > 0
  Range rotation;  ///< of pi
  Range beta_generalized, beta_plateau;  ///< half of the draws on either side of 1
  Range cutoff, cutoff_small;            ///< of pi; `cutoff_small` for sizes below 13
};

enum class Direction { up, down, keep };

struct ResizeSpec {
  Choice<ResizeMode> modes;
  bool of_lr = false;           ///< factors are of the LR size, not of the picture as it comes
  double factor = 0;            ///< fixed; 0: drawn
  Range divisor;                ///< the factor is 1 / divisor, where divisor.to or its growth is > 0
  Choice<Direction> direction;  ///< else by direction; none: keep
  Range up, down;
};

struct SubsampleSpec {
  int size = 25;
  Range sigma;
};

enum class NoiseKind { gaussian, poisson, correlated, speckle, photons };

struct NoiseSpec {
  Choice<NoiseKind> kinds;
  double gray = 0;  ///< probability of grey noise
  Range sigma;      ///< grey levels of 255
  Range poisson_scale;
  Range photons;  ///< decimal logarithm of the photons at white
};

struct JpegSpec {
  bool differentiable = false;
  Range quality;
};

struct CameraSpec {
  Range exposure;  ///< stops
  Range red_gain, blue_gain;
  Range shot_noise;  ///< natural logarithm of the variance per signal
  double read_slope = 0, read_offset = 0,
         read_deviation = 0;  ///< of log read variance over log shot variance
};

struct RoundSpec {};

using Spec = std::variant<SharpenSpec, BlurSpec, ResizeSpec, SubsampleSpec, NoiseSpec, JpegSpec, CameraSpec,
                          RoundSpec>;

struct StepSpec {
  std::string name;
  double prob = 1;           ///< of being done at all
  bool per_sample = false;   ///< of a batch, whether it is done is drawn for each sample (a blur alone)
  double only_at_scale = 0;  ///< done at this scale alone; 0: at all
  Spec spec;
};

/// The order of the steps: one step, a sequence, a shuffled set, or one of several.
struct Order {
  enum class Kind { step, sequence, shuffle, choose } kind = Kind::sequence;
  size_t step = 0;  ///< in Pipeline::steps
  std::vector<Order> children;
  std::vector<bool> kept;             ///< shuffle: the children that keep their order among themselves
  std::vector<double> probabilities;  ///< choose
};

/// How an HR picture becomes half of a pair.
struct PairSpec {
  double flip = 0;        ///< probability of mirroring left to right
  bool sharpen = false;   ///< the HR half is kept as the first step (sharpen) leaves it
  bool upscaled = false;  ///< the LR picture is also stored at the HR size (PyTorch's bicubic), as SeeSR does
};

struct Pipeline {
  std::string name;
  double scale = 4;
  bool crop_to_scale = true;  ///< HR sides are first cut to multiples of the scale
  std::vector<StepSpec> steps;
  Order order;
  PairSpec pair;
};

/// Reads a pipeline of the presets degrade-NAME.toml of `folder`, or a .toml file that may extend one. Throws
/// UsageError "FILE:LINE: what is wrong".
Pipeline read_pipeline(const std::string& name_or_file, const fs::path& folder);

}  // namespace sr
