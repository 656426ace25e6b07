#pragma once
// The mean of the gradients over the ranks, taken while the backward pass still goes on. After: Li et al.,
// "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", VLDB 2020, section 3.2 (buckets
// in the reverse order of the parameters, hooks on the gradient accumulators).
//
//   reducer.expect_backward(true);
//   loss.backward();     // sums over the ranks start as soon as a bucket's gradients are there
//   reducer.finish();    // now every rank's gradients are the means
//
// N ranks, each with the mean loss over its share of a batch, so get the gradients of one rank with all of
// it, to within rounding, and the same bits on all ranks.

#include <cstdint>
#include <memory>
#include <vector>

#include "training/parameters.h"
#include "training/process_group.h"

namespace sr {

class GradientReducer {
 public:
  /// For parameters of one device that ask for a gradient now, in the same order on all ranks; they keep
  /// their memory layout from here on. `group` must outlive this. One rank: nothing is ever done.
  GradientReducer(ProcessGroup& group, const NamedParameters& parameters);
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;

  /// Before each backward pass that these gradients come from; of those between two finish() only the last
  /// may be called `last`. Backward passes that nobody announced (a loss that merely leads through these
  /// parameters) start nothing. In the last a parameter may get its gradient once only.
  void expect_backward(bool last);

  /// After the last backward pass: waits for all sums and sets the gradients, which from then on lie in this
  /// object's buffers until they are dropped. A parameter that had a gradient on some ranks counts as zero on
  /// the others; one that had none anywhere has none. Answers the seconds waited. Throws Error, Interrupted.
  double finish();

  size_t buckets() const { return buckets_.size(); }
  /// Those whose sums have begun since the last finish().
  size_t buckets_started() const { return started_; }

 private:
  struct Entry;
  struct Bucket;
  class ArrivalHook;

  void make_buckets(const NamedParameters& parameters);
  void add_bucket(const std::vector<Tensor>& parameters);
  void add_hooks();
  void arrived(Bucket& bucket, Entry& entry);
  void start_complete_buckets();

  ProcessGroup& group_;
  std::vector<std::unique_ptr<Bucket>> buckets_;
  bool expecting_ = false;  // the pass that goes on is the last
  size_t started_ = 0;      // buckets, always in order: the ranks' sums must match
};

}  // namespace sr
