#include "core/pipeline.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <doctest.h>
#include <mutex>
#include <set>
#include <stdexcept>

#include "limited_memory.h"

namespace {

/// Where threads wait for each other.
class Meeting {
 public:
  /// True once as many as were asked for are here.
  bool join(int wanted) {
    std::unique_lock lock(mutex_);
    ++here_;
    changed_.notify_all();
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return here_ >= wanted; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int here_ = 0;
};

}  // namespace

TEST_CASE("every item is worked on once, several at a time") {
  constexpr int jobs = 4;
  std::vector<std::atomic<int>> done(100);
  std::atomic<int> running = 0, most = 0, met = 0;
  Meeting meeting;
  sr::for_each_in_flight(done.size(), jobs, [&](size_t i) {
    const int now = ++running;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
    }
    if (i < jobs) met += meeting.join(jobs);
    done[i]++;
    running--;
  });
  for (const auto& count : done) CHECK(count == 1);
  CHECK(met == jobs);
  CHECK(most == jobs);
}

TEST_CASE("where memory runs out for threads, those that there are do the work") {
  std::vector<std::atomic<int>> done(400);
  {
    const sr::testing::LimitedMemory limited(300'000'000);  // a thread's stack has 8 MB
    sr::for_each_in_flight(done.size(), 400, [&](size_t i) { done[i]++; });
  }
  for (const auto& count : done) CHECK(count == 1);
}

TEST_CASE("the first failure ends the run and is thrown") {
  std::atomic<int> done = 0;
  CHECK_THROWS_AS(sr::for_each_in_flight(1000, 3,
                                         [&](size_t i) {
                                           done++;
                                           if (i == 5) throw std::runtime_error("five");
                                           std::this_thread::sleep_for(std::chrono::milliseconds(1));
                                         }),
                  std::runtime_error);
  CHECK(done < 1000);
}

TEST_CASE("a stage runs one task at a time on one thread, and hands failures back") {
  sr::Stage stage;
  std::set<std::thread::id> threads;
  int sum = 0;  // unguarded: only the stage's thread touches it
  sr::for_each_in_flight(200, 8, [&](size_t i) {
    stage.run([&] {
      threads.insert(std::this_thread::get_id());
      sum += static_cast<int>(i);
    });
  });
  CHECK(threads.size() == 1);
  CHECK(sum == 199 * 200 / 2);
  CHECK_THROWS_AS(stage.run([] { throw std::logic_error("no"); }), std::logic_error);
  const double before = stage.busy_seconds();
  stage.run([] { std::this_thread::sleep_for(std::chrono::milliseconds(20)); });
  CHECK(stage.busy_seconds() >= before + 0.02);
}
