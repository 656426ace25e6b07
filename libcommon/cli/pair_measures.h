#pragma once
// The measures of sr-metrics by name: of a picture against its reference.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/measures.h"
#include "cli/weights_source.h"
#include "core/torch.h"
#include "quality/psnr_ssim.h"

namespace sr {

/// A picture and its reference, in the forms that measures ask for; each is made once.
class PicturePair {
 public:
  /// Values as load_values has them. A grey one against a coloured one counts as coloured, but by MATLAB's
  /// protocol, which takes the Y of each by itself. Throws Error that names both sizes where they differ.
  PicturePair(Tensor a, Tensor b, const Protocol& protocol);

  using Two = std::pair<Tensor, Tensor>;
  const Two& compared();  ///< what the protocol compares
  const Two& images();    ///< as networks take them: float32 [1,3,H,W] in [0,1], whole

 private:
  Two values_;
  Protocol protocol_;
  std::optional<Two> compared_, images_;
};

struct PairMeasure {
  Measure about;
  std::function<double(PicturePair&)> score;  ///< safe from several threads
};

/// True where this is the measure of whole sets, fid, which has no score of a pair.
bool is_set_measure(const std::string& name);

/// Every name, for help.
std::string pair_measure_names();

/// What `protocol` says of PSNR and SSIM, for headers.
std::string describe(const Protocol& protocol);

/// The measure with its weights read. Throws UsageError where there is no such measure, or something is
/// missing.
PairMeasure make_pair_measure(const MeasureRequest& request, const Protocol& protocol, WeightsSource& source);

}  // namespace sr
