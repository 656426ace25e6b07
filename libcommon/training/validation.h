#pragma once
// How good a generator is by now: pictures that it never saw, by a fixed protocol.

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/torch.h"
#include "quality/psnr_ssim.h"
#include "training/train_config.h"

namespace sr {

struct ValidationScores {
  double psnr = 0, ssim = 0;  ///< means
  std::int64_t pictures = 0;
};

class Validation {
 public:
  /// Finds the pictures. Throws UsageError where there are none, or an LR picture is missing.
  Validation(const ValidationConfig& config, int scale);

  /// Enhances every LR picture by `enhanced` ([1,3,h,w] -> [1,3,H,W], in [0,1]), compares it with its HR
  /// picture as 8-bit pictures, and writes the first few as PNG into `samples`. Throws Error that names the
  /// file.
  ValidationScores run(const std::function<Tensor(const Tensor&)>& enhanced, const fs::path& samples) const;
  size_t pictures() const { return pairs_.size(); }

 private:
  struct Pair {
    fs::path lr, hr;  ///< lr may be empty: made of hr
  };
  std::pair<Tensor, Tensor> load(const Pair& pair) const;

  ValidationConfig config_;
  int scale_;
  Protocol protocol_;
  std::vector<Pair> pairs_;
};

}  // namespace sr
