#pragma once
// FID of sets of pictures on the command line.

#include <memory>
#include <optional>
#include <vector>

#include "cli/measures.h"
#include "cli/metrics.h"
#include "cli/weights_source.h"
#include "quality/fid.h"

namespace sr {

/// Inception's features of the pictures of one set, which come in any order.
class FidSet {
 public:
  FidSet(std::shared_ptr<const FidFeatures> network, size_t pictures)
      : network_(std::move(network)), features_(pictures) {}

  /// Values of picture `i` as load_values has them. Safe from several threads for different `i`.
  void add(size_t i, const Tensor& values);
  /// Of those that were added. Throws Error where they are fewer than two.
  FidStatistics statistics() const;

 private:
  std::shared_ptr<const FidFeatures> network_;
  std::vector<Tensor> features_;  ///< undefined where a picture failed
};

/// The network with its weights read. Throws UsageError where something is missing.
std::shared_ptr<const FidFeatures> make_fid_features(const MeasureRequest& request,
                                                     const MetricsConfig& config, WeightsSource& source);

/// The column of tables.
Measure fid_measure(const FidFeatures& network);

/// FID alone: sides are sets of any size, or statistics (.npz); or one side's statistics are written.
ExitStatus measure_sets(Program& program, const MetricsConfig& config, const MeasureRequest& request);

}  // namespace sr
