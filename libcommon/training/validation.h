#pragma once
// How good a generator is by now: pictures that it never saw, by a fixed protocol.

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/torch.h"
#include "training/run_config.h"
#include "training/training_weights.h"

namespace sr {

struct ValidationScores {
  std::vector<std::pair<std::string, double>> means;  ///< "psnr", "ssim", and what the settings ask for
  std::int64_t pictures = 0;
};

class Validation {
 public:
  /// Finds the pictures, and loads what the measures need. Throws UsageError where there are none, an LR
  /// picture is missing, or weights are.
  Validation(const ValidationConfig& config, int scale, const TrainingWeights& weights);

  /// What is made of an LR picture [1,3,h,w], whose HR file has that name: [1,3,H,W], both in [0,1].
  using Enhance = std::function<Tensor(const Tensor& lr, const std::string& name)>;
  /// Compares what is made of every LR picture with its HR picture as 8-bit pictures, and writes the first
  /// few as `samples`/NAME.png, with crops of them beside their LR and HR pictures on one sheet,
  /// `samples`.png (at most 16). Throws Error that names the file.
  ValidationScores run(const Enhance& enhanced, const fs::path& samples) const;
  size_t pictures() const { return pairs_.size(); }

 private:
  /// Of two images [1,3,H,W] on the 8-bit grid in [0,1].
  using Measure = std::function<double(const Tensor& image, const Tensor& reference)>;
  struct Pair {
    fs::path lr, hr;   ///< lr may be empty: made of hr
    std::string name;  ///< the HR picture's below its folder, without extension; "name-2" where one has it
  };
  void add_measure(const std::string& name, const TrainingWeights& weights);
  std::pair<Tensor, Tensor> load(const Pair& pair) const;

  ValidationConfig config_;
  int scale_;
  std::vector<std::pair<std::string, Measure>> measures_;
  std::vector<Pair> pairs_;
};

}  // namespace sr
