#include "training/batch_source.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <fmt/format.h>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "core/processor.h"
#include "core/signals.h"
#include "training/sample_maker.h"

namespace sr {
namespace {

int worker_count(const DataConfig& config, int ranks) {
  constexpr int kMost = 16;
  return config.workers > 0 ? config.workers : std::clamp(available_processors() / (2 * ranks), 1, kMost);
}

/// Throws UsageError where the batch can't be shared out.
void check(const DataConfig& config, std::int64_t first_iteration, int rank, int ranks) {
  if (ranks < 1 || rank < 0 || rank >= ranks)
    throw UsageError(fmt::format("there is no rank {} of {}", rank, ranks));
  if (config.batch < 1 || config.batch % ranks != 0)
    throw UsageError(fmt::format("a batch of {} can't be shared out among {} ranks", config.batch, ranks));
  if (first_iteration < 0) throw UsageError(fmt::format("there is no iteration {}", first_iteration));
}

/// A batch while its samples are made.
struct Pending {
  std::vector<PlannedSample> samples;
  TrainingBatch tensors;
  size_t taken = 0, done = 0;
  size_t failed = 0;  ///< the first sample that `failure` is of
  std::exception_ptr failure;

  bool complete() const { return done == samples.size(); }
  void fail(size_t sample, std::exception_ptr why) {
    if (failure && failed < sample) return;  // the same one whoever comes first
    failed = sample;
    failure = std::move(why);
  }
};

}  // namespace

class BatchSource::Loader {
 public:
  Loader(const DataConfig& config, std::int64_t first_iteration, int rank, int ranks)
      : crop_(config.crop),
        lr_crop_(config.whole || config.enlarged ? config.crop : config.crop / std::max(1, config.scale)),
        share_(config.batch / ranks),
        first_(rank * share_),
        maker_(config, worker_count(config, ranks)),
        plan_(maker_.sources(), config.batch, config.seed, first_iteration) {
    const auto workers = worker_count(config, ranks);
    constexpr int kReady = 2;  // batches, while the workers are busy with others
    most_pending_ = static_cast<size_t>(kReady + (workers + share_ - 1) / share_);
    try {
      for (int i = 0; i < workers; i++) threads_.emplace_back([this] { serve(); });
    } catch (...) {
      close();
      throw;
    }
  }

  ~Loader() { close(); }

  TrainingBatch next() {
    check_interrupted();
    std::unique_lock lock(mutex_);
    if (!ready()) wait(lock);
    if (broken_) std::rethrow_exception(broken_);
    const auto batch = std::move(pending_.front());
    pending_.pop_front();
    lock.unlock();
    work_.notify_all();
    if (batch->failure) std::rethrow_exception(batch->failure);
    return batch->tensors;
  }

  double waited_seconds() const {
    const std::lock_guard lock(mutex_);
    return waited_seconds_;
  }

 private:
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    work_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  bool ready() const { return broken_ || (!pending_.empty() && pending_.front()->complete()); }

  void wait(std::unique_lock<std::mutex>& lock) {
    using Clock = std::chrono::steady_clock;
    constexpr auto kLook = std::chrono::milliseconds(50);  // a signal wakes nobody
    const auto start = Clock::now();
    while (!batch_done_.wait_for(lock, kLook, [this] { return ready(); })) check_interrupted();
    waited_seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
  }

  void serve() {
    at::set_num_threads(1);
    const at::NoGradGuard no_grad;
    std::unique_lock lock(mutex_);
    try {
      while (!closing_) {
        if (auto* batch = with_work()) {
          make_sample(*batch, lock);
        } else {
          work_.wait(lock);
        }
      }
    } catch (...) {  // no memory for another batch, say
      if (!lock.owns_lock()) lock.lock();
      broken_ = std::current_exception();
      batch_done_.notify_all();
    }
  }

  /// The first batch with a sample that nobody has taken; begins another where there's room. Or null.
  Pending* with_work() {
    for (const auto& batch : pending_) {
      if (batch->taken < batch->samples.size()) return batch.get();
    }
    if (pending_.size() >= most_pending_) return nullptr;
    const auto all = plan_.next();
    auto batch = std::make_unique<Pending>();
    batch->samples.assign(all.begin() + first_, all.begin() + first_ + share_);
    batch->tensors = {at::empty({share_, 3, lr_crop_, lr_crop_}, at::kFloat),
                      at::empty({share_, 3, crop_, crop_}, at::kFloat)};
    for (const auto& sample : batch->samples) batch->tensors.items.push_back(sample.item);
    batch->tensors.captions.resize(batch->samples.size());
    batch->tensors.repeats.resize(batch->samples.size());
    pending_.push_back(std::move(batch));
    work_.notify_all();
    return pending_.back().get();
  }

  /// Unlocks while it works. The batch stays: next() takes only those that are complete.
  void make_sample(Pending& batch, std::unique_lock<std::mutex>& lock) {
    const auto i = batch.taken++;
    lock.unlock();
    std::exception_ptr failure;
    try {
      const auto sample = maker_.make(batch.samples[i]);
      batch.tensors.lr[static_cast<std::int64_t>(i)].copy_(sample.lr);
      batch.tensors.hr[static_cast<std::int64_t>(i)].copy_(sample.hr);
      batch.tensors.captions[i] = sample.caption;
      batch.tensors.repeats[i] = sample.repeats;
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure) batch.fail(i, std::move(failure));
    batch.done++;
    if (batch.complete()) batch_done_.notify_all();
  }

  std::int64_t crop_, lr_crop_, share_, first_;
  SampleMaker maker_;
  size_t most_pending_ = 0;

  mutable std::mutex mutex_;  ///< of what follows
  std::condition_variable work_, batch_done_;
  SamplePlan plan_;
  std::deque<std::unique_ptr<Pending>> pending_;  ///< iterations in order
  bool closing_ = false;
  double waited_seconds_ = 0;
  std::exception_ptr broken_;
  std::vector<std::thread> threads_;
};

BatchSource::BatchSource(const DataConfig& config, std::int64_t first_iteration, int rank, int ranks) {
  check(config, first_iteration, rank, ranks);
  loader_ = std::make_unique<Loader>(config, first_iteration, rank, ranks);
}

BatchSource::~BatchSource() = default;

TrainingBatch BatchSource::next() { return loader_->next(); }

double BatchSource::waited_seconds() const { return loader_->waited_seconds(); }

}  // namespace sr
