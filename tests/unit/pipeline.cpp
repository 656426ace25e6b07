#include "core/pipeline.h"

#include <atomic>
#include <chrono>
#include <doctest.h>
#include <set>
#include <stdexcept>

TEST_CASE("every item is worked on once, several at a time") {
  std::vector<std::atomic<int>> done(100);
  std::atomic<int> running = 0, most = 0;
  sr::for_each_in_flight(done.size(), 4, [&](size_t i) {
    const int now = ++running;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
    }
    done[i]++;
    running--;
  });
  for (const auto& count : done) CHECK(count == 1);
  CHECK(most <= 4);
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
  CHECK(stage.busy_seconds() >= 0);
}
