#pragma once
// Overlap of decoding, computing and encoding: several items are under way at once, each on a thread of its
// own, and all pass one at a time through a stage that owns the processor's cores or the accelerator.

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace sr {

/// One thread that runs what others hand it, in the order of arrival. LibTorch's thread pools belong to the
/// thread that calls, so a network that always runs on this one has one pool, whoever asks.
class Stage {
 public:
  /// `prepare` runs first on the new thread (thread counts, gradient mode).
  explicit Stage(std::function<void()> prepare = {});
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  /// Runs `task` on the stage's thread and waits; what it throws is thrown here.
  void run(const std::function<void()>& task);

  /// Seconds in which a task was running.
  double busy_seconds();

 private:
  struct Task {
    const std::function<void()>& work;
    std::exception_ptr failure;
    bool done = false;
  };
  void serve();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task*> waiting_;
  bool closing_ = false;
  double busy_seconds_ = 0;
  std::thread thread_;
};

/// Calls `work(i)` for every i in [0, count) on `jobs` threads, in order of i; returns when all are done.
/// `work` deals with its own failures: the first exception that leaves it ends the run and is thrown here.
void for_each_in_flight(size_t count, int jobs, const std::function<void(size_t)>& work);

}  // namespace sr
