#pragma once
// One recorded case: its inputs, its outputs, and what our code answered.

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/files.h"
#include "weights/state_dict.h"

namespace golden {

using sr::StateDict;
using sr::Tensor;
namespace fs = sr::fs;

/// A fixture file: safetensors with the case's JSON in its header (see ../shared/golden/README.md).
class Case {
 public:
  /// Throws sr::Error where the file is unreadable or holds no case.
  explicit Case(const fs::path& path);
  /// As the constructor; nothing where the file is sound but holds no case.
  static std::optional<Case> read(const fs::path& path);
  const std::string& arch() const { return arch_; }
  const nlohmann::json& info() const { return info_; }  ///< the case JSON
  const nlohmann::json& config() const { return info_.at("config"); }
  Tensor in(const std::string& name) const;   ///< tensor `in.<name>`
  Tensor out(const std::string& name) const;  ///< tensor `out.<name>`; counts as compared
  bool has(const std::string& key) const { return tensors_.count(key) != 0; }  ///< full key, e.g. "out.u8"
  std::vector<std::string> outputs() const;  ///< every <name> of `out.<name>`, sorted
  /// The tensors `param.<key>`, and those that formula A or B makes from the case's table. Throws sr::Error
  /// where a tensor `probe.<key>` (the first values of one) says otherwise.
  StateDict parameters() const;
  /// Says that `out.<name>` describes the case and answers nothing that our code has.
  void leave(const std::string& name) const { asked_.insert(name); }
  /// The outputs that no handler has asked for (or left): such a case fails.
  std::vector<std::string> forgotten() const;
  fs::path path;

 private:
  Case(const fs::path& path, nlohmann::json info, StateDict tensors);
  Tensor tensor(const std::string& key) const;

  std::string arch_;
  nlohmann::json info_;
  StateDict tensors_;
  mutable std::set<std::string> asked_;
};

/// What is called "prefix...", without its prefix.
StateDict below(const StateDict& tensors, const std::string& prefix);

/// The row of tokens (int64) that a table has as "49406 320 49407": zeros behind them, `length` in all.
Tensor token_row(const std::string& numbers, int64_t length);

/// Collects the comparisons of one case; the runner prints the worst.
class Report {
 public:
  /// Largest |actual - expected| may be at most `tolerance`. NaNs and infinities must be the same.
  void compare(const std::string& what, const Tensor& actual, const Tensor& expected, double tolerance);
  /// As `compare`, the tolerance a fraction of |expected| elementwise.
  void compare_relative(const std::string& what, const Tensor& actual, const Tensor& expected,
                        double relative);
  /// Integers: off by `step` at most, in at most `fraction` of the samples.
  void compare_integers(const std::string& what, const Tensor& actual, const Tensor& expected, int step,
                        double fraction);
  void compare(const std::string& what, double actual, double expected, double tolerance);
  void require(const std::string& what, bool holds);
  void fail(const std::string& reason) { failures_.push_back(reason); }
  /// The case could not be tried here (a data file is missing, say).
  void skip(const std::string& reason) { skipped_ = reason; }

  bool ok() const { return failures_.empty(); }
  const std::vector<std::string>& failures() const { return failures_; }
  const std::string& skipped() const { return skipped_; }
  double worst_absolute() const { return worst_absolute_; }
  double worst_relative() const { return worst_relative_; }
  int comparisons() const { return comparisons_; }

 private:
  /// Both as float64, if their shapes agree and they are infinite or NaN in the same places, where both
  /// become 0.
  std::optional<std::pair<Tensor, Tensor>> comparable(const std::string& what, const Tensor& actual,
                                                      const Tensor& expected);
  /// Counts a comparison and keeps the worst; the errors elementwise.
  Tensor errors(const Tensor& actual, const Tensor& expected);

  std::vector<std::string> failures_;
  std::string skipped_;
  double worst_absolute_ = 0, worst_relative_ = 0;
  int comparisons_ = 0;
};

/// Rebuilds a case of one `arch` with our code and compares every output of it.
using Handler = std::function<void(const Case&, Report&)>;
using Handlers = std::map<std::string, Handler>;

/// A table's rows, each by the names in the first.
using Row = std::map<std::string, std::string>;
std::vector<Row> read_table(const fs::path& path);

struct Options {
  std::optional<fs::path> data;  ///< `--data`: where the benchmark pictures and real checkpoints are
  /// That folder, or the one that stands beside the fixtures: <fixture's folder>/../../data.
  fs::path data_for(const fs::path& fixture) const;
};

/// A case that is no safetensors file, such as bicubic_x4.tsv; keyed by its name.
using FileHandler = std::function<void(const fs::path&, const Options&, Report&)>;
using FileHandlers = std::map<std::string, FileHandler>;

void add_network_handlers(Handlers& handlers);       // networks.cpp
void add_kernel_handlers(Handlers& handlers);        // degrade_kernels.cpp: kernels, filter2d, resize, usm
void add_noise_handlers(Handlers& handlers);         // degrade_noise.cpp: noise_*, diffjpeg, cv2_jpeg
void add_bsrgan_handlers(Handlers& handlers);        // degrade_bsrgan.cpp: bsrgan_ops, bsrgan_run
void add_pipeline_handlers(Handlers& handlers);      // degrade_runs.cpp: realesrgan_run, seesr_run
void add_clip_handlers(Handlers& handlers);          // quality_clip.cpp: ModifiedResNet ... clipiqa
void add_niqe_handlers(Handlers& handlers);          // quality_niqe.cpp: niqe, ilniqe
void add_transformers_handlers(Handlers& handlers);  // quality_transformers.cpp: musiq, maniqa, topiq
void add_perceptual_handlers(Handlers& handlers);    // quality_perceptual.cpp: lpips, dists
void add_fid_handlers(Handlers& handlers);           // quality_fid.cpp: fid_inception, frechet
void add_correlation_handlers(Handlers& handlers);   // quality_correlation.cpp: correlation
void add_loss_handlers(Handlers& handlers);          // losses.cpp: PixelLoss ... LDL, VGGFeatures
void add_trainstep_handlers(Handlers& handlers);     // trainstep.cpp: TrainStep
void add_tagging_handlers(Handlers& handlers);       // tagging.cpp: RAMLora, LoRA, RAMPreprocess, DAPELoss
void add_clip_files(FileHandlers& handlers);         // quality_clip.cpp: clip_tokenizer.tsv
void add_niqe_files(FileHandlers& handlers);         // quality_niqe.cpp: niqe, ilniqe, calibration*.tsv
void add_image_handlers(Handlers& handlers);         // images.cpp: imresize, colour, psnr_ssim, formula
void add_image_files(FileHandlers& handlers);        // images.cpp: bicubic_x4.tsv
void add_picture_files(
    FileHandlers& handlers);  // pictures.cpp: cases.json (whole pictures, real checkpoints)

/// diffusion_vae.cpp: AutoencoderKL, its Attention and DiagonalGaussianDistribution, TiledVAE;
/// tiled_vae_boxes.tsv
void add_diffusion_vae_handlers(Handlers& handlers);
void add_diffusion_vae_files(FileHandlers& handlers);

/// discriminators.cpp: UNetDiscriminatorSN ... SeD_U, CLIP_Semantic_extractor, ResNet50
void add_discriminator_handlers(Handlers& handlers);

/// diffusion_unet.cpp: TimestepEmbedding, ResnetBlock2D ... UNet2DConditionModel, ControlNetModel
void add_diffusion_unet_handlers(Handlers& handlers);

/// diffusion_sampling.cpp: DDPMScheduler ... PILResize; latent_tiles, sizes, prompts.tsv
void add_diffusion_sampling_handlers(Handlers& handlers);
void add_diffusion_sampling_files(FileHandlers& handlers);

/// diffusion_pipeline.cpp: SeeSRPipeline
void add_diffusion_pipeline_handlers(Handlers& handlers);

/// diffusion_train.cpp: SeeSRTrainStep
void add_diffusion_train_handlers(Handlers& handlers);

/// diffusion_text.cpp: CLIPTextModel; tokenizer_sd2.tsv
void add_diffusion_text_handlers(Handlers& handlers);
void add_diffusion_text_files(FileHandlers& handlers);

}  // namespace golden
