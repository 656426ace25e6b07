#pragma once
// A recipe: everything that was drawn for one picture, from which the same LR picture can be made again.
//
// In files a recipe is one JSON object a line: the picture's name and size, the scale, how the HR picture was
// cut, and the steps in order, each with "step" (its name in the pipeline), "op" and its parameters; what is
// 0 or false is left out.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "degrade/bsrgan.h"
#include "degrade/isp.h"
#include "degrade/usm.h"

namespace sr {

/// `pulse` changes nothing: the sample of a batch that is not blurred.
enum class KernelKind {
  iso,
  aniso,
  generalized_iso,
  generalized_aniso,
  plateau_iso,
  plateau_aniso,
  sinc,
  pulse
};

/// `cv_*` are OpenCV's, `matlab` is bicubic with antialiasing, the others PyTorch's. OpenCV's and MATLAB's
/// results are clamped to [0,1], as BSRGAN does.
enum class ResizeMode { area, bilinear, bicubic, cv_linear, cv_cubic, cv_area, matlab };

/// The name in files; the inverse gives nothing for a name that is none.
std::string_view name_of(KernelKind kind);
std::string_view name_of(ResizeMode mode);
std::optional<KernelKind> kernel_kind(std::string_view name);
std::optional<ResizeMode> resize_mode(std::string_view name);

// --- operations: what they do is said in the headers of the operators --------------------------------------

struct Sharpen {
  UsmOptions usm;
};

struct Blur {
  KernelKind kernel = KernelKind::iso;
  int size = 0;  ///< odd
  double sigma_x = 0, sigma_y = 0, rotation = 0, beta = 0;
  double cutoff = 0;  ///< sinc alone
};

struct Resize {
  ResizeMode mode = ResizeMode::area;
  double factor = 0;  ///< 0: to height x width
  std::int64_t height = 0, width = 0;
};

/// BSRGAN's other way to shrink: a Gaussian, shifted so that the picture stays in place, then every
/// `scale`-th pixel.
struct Subsample {
  int size = 0, scale = 0;
  double sigma = 0;
};

/// Noise is what the stream of `key` says. Deviations are grey levels of 255.
struct GaussianNoise {
  double sigma = 0;
  bool gray = false;
  std::int64_t key = 0;
};
struct SpeckleNoise {
  double sigma = 0;
  bool gray = false;
  std::int64_t key = 0;
};
struct CorrelatedNoise {
  ChannelCovariance covariance{};
  std::int64_t key = 0;
};
struct PoissonNoise {
  double scale = 0;
  bool gray = false;
  std::int64_t key = 0;
};
/// BSRGAN's Poisson noise: `photons` at white.
struct PhotonNoise {
  double photons = 0;
  bool gray = false;
  std::int64_t key = 0;
};
struct CameraNoise {
  IspOptions isp;
  std::int64_t key = 0;
};

/// JPEG by arithmetic (DiffJPEG), and by libjpeg-turbo.
struct DiffJpeg {
  double quality = 0;
};
struct CodecJpeg {
  int quality = 0;
};

/// To the 8-bit grid.
struct Round {};

using Operation = std::variant<Sharpen, Blur, Resize, Subsample, GaussianNoise, SpeckleNoise, CorrelatedNoise,
                               PoissonNoise, PhotonNoise, CameraNoise, DiffJpeg, CodecJpeg, Round>;

struct Step {
  std::string name;
  Operation operation;
};

/// No pipeline and no recipe makes larger pictures.
constexpr double kMostPixels = 500e6;

// --- the recipe --------------------------------------------------------------------------------------------

/// How the HR picture is made of the file's, in this order: resized to a square (PIL's LANCZOS), cut out,
/// mirrored left to right, sharpened.
struct HrCut {
  std::int64_t resize = 0;  ///< 0: not resized
  std::int64_t left = 0, top = 0, height = 0, width = 0;
  bool flip = false;
  bool sharpen = false;  ///< as the recipe's first step does; that step is then not done again
};

struct Recipe {
  std::string image;                   ///< its name below the folder it was found in
  std::int64_t height = 0, width = 0;  ///< of the file's picture
  double scale = 1;                    ///< HR side / LR side
  bool upscaled = false;               ///< the pair has the LR picture at the HR size too
  HrCut cut;
  std::vector<Step> steps;
};

/// A picture's name as it stands in recipes: bytes that are not UTF-8, and backslashes, as \\xNN.
std::string name_in_recipe(const std::string& name);

/// One line, without the line feed.
std::string to_json(const Recipe& recipe);
/// The inverse but for the name, which stays as it stands there. Throws Error that says what is wrong with
/// the line: what is not known, of the wrong kind, or so large that no picture could come of it.
Recipe recipe_from_json(const std::string& line);

}  // namespace sr
