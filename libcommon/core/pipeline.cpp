#include "core/pipeline.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

namespace sr {

Stage::Stage(std::function<void()> prepare)
    : thread_([this, prepare = std::move(prepare)] {
        if (prepare) prepare();
        serve();
      }) {}

Stage::~Stage() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Stage::run(const std::function<void()>& work) {
  Task task{work, nullptr};
  std::unique_lock lock(mutex_);
  waiting_.push_back(&task);
  changed_.notify_all();
  changed_.wait(lock, [&] { return task.done; });
  if (task.failure) std::rethrow_exception(task.failure);
}

double Stage::busy_seconds() {
  const std::lock_guard lock(mutex_);
  return busy_seconds_;
}

void Stage::serve() {
  using Clock = std::chrono::steady_clock;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    Task& task = *waiting_.front();
    waiting_.pop_front();
    lock.unlock();
    const auto start = Clock::now();
    try {
      task.work();
    } catch (...) {
      task.failure = std::current_exception();
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    lock.lock();
    busy_seconds_ += seconds;
    task.done = true;
    changed_.notify_all();
  }
}

void for_each_in_flight(size_t count, int jobs, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr failure;
  const auto serve = [&] {
    for (size_t i = next++; i < count && !failed; i = next++) {
      try {
        work(i);
      } catch (...) {
        if (!failed.exchange(true)) failure = std::current_exception();
      }
    }
  };
  std::vector<std::thread> threads;
  const auto wanted = std::min<size_t>(count, std::max(jobs, 1));
  threads.reserve(wanted);
  try {
    while (threads.size() < wanted) threads.emplace_back(serve);
  } catch (const std::exception&) {
    if (threads.empty()) throw;  // else those that there are do all the work
  }
  for (auto& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace sr
