#pragma once
// The processes that train together, and what they do together: LibTorch's c10d with Gloo on CPUs and NCCL on
// CUDA devices (Gloo by way of the CPU where NCCL isn't built in). All ranks must call the same in the same
// order.

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "core/torch.h"
#include "training/ranks.h"

namespace sr {

/// A rank that dies (its connection closes), or that doesn't answer within `timeout`, makes whatever the
/// others wait for throw Error; a signal makes it throw Interrupted. The group is of no use after either.
class ProcessGroup {
 public:
  /// Ends what was begun: waits for it, and throws Error or Interrupted.
  using Finish = std::function<void()>;

  /// Meets the other ranks; one alone needs no network. `device`: where this process trains. `timeout`: no
  /// less than what one rank may do alone while the others wait (a checkpoint; validation: see await_first).
  /// Throws UsageError where the ranks don't find each other in that time.
  explicit ProcessGroup(const Ranks& ranks, const at::Device& device,
                        std::chrono::milliseconds timeout = std::chrono::minutes(30));
  /// Waits for what is under way: until the other ranks do their part, or die, or time is up.
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  int rank() const { return ranks_.rank; }
  int count() const { return ranks_.count; }
  /// Where tensors for start_sum must be: the CPU with Gloo.
  at::Device device() const { return device_; }

  /// Gives all ranks rank 0's values. Any types and devices; throws Error where the sizes differ.
  void broadcast(const std::vector<Tensor>& tensors);

  /// Of all ranks' values, summed in rank order: the same bits everywhere.
  std::vector<double> mean(const std::vector<double>& values);

  /// Returns when all ranks are here. Also to be called before a run ends, so that no rank takes its
  /// connections down while another still reads from them.
  void barrier();

  /// The same, but the others wait for rank 0 however long it takes, unless it dies.
  void await_first();

  /// Sums `values` (dense, on device(), float32 or float64) over the ranks in place, in the background: not
  /// to be touched until the answer is called. The same bits everywhere.
  Finish start_sum(const Tensor& values);

 private:
  struct Connection;

  Tensor gathered(const std::vector<double>& values);
  void broadcast_chunk(const std::vector<Tensor>& tensors);

  Ranks ranks_;
  at::Device device_;
  std::chrono::milliseconds timeout_;
  std::unique_ptr<Connection> connection_;  // null for one rank
  int awaited_ = 0;                         // how often rank 0 was
};

}  // namespace sr
