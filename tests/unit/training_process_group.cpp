// Several processes: collectives on loopback, averaged gradients, and what happens when another rank dies.

#include <torch/csrc/autograd/autograd.h>

#include "training/gradient_reducer.h"
#include "training/trainer.h"

// LibTorch's headers may bring glog's CHECK; doctest's must come after it.
#undef CHECK
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <doctest.h>
#include <exception>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "core/error.h"
#include "core/random.h"
#include "core/signals.h"
#include "ranks_testing.h"

namespace {

using namespace sr;
using Clock = std::chrono::steady_clock;

constexpr auto kTimeout = std::chrono::seconds(60);
constexpr int kInterruptedStatus = 42;

/// One that nobody listened on a moment ago.
int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(::bind(socket, plain, length) == 0);
  REQUIRE(::getsockname(socket, plain, &length) == 0);
  ::close(socket);
  return ntohs(address.sin_port);
}

Ranks loopback(int rank, int count, int port) {
  Ranks ranks;
  ranks.rank = ranks.local = rank;
  ranks.count = count;
  ranks.address = "127.0.0.1";
  ranks.port = port;
  ranks.meeting = "test";
  return ranks;
}

/// What each rank makes of `act`, a thread a rank.
template <class Result, class Act>
std::vector<Result> on_ranks(int count, const Act& act) {
  const int port = free_port();
  std::vector<Result> results(static_cast<size_t>(count));
  std::vector<std::exception_ptr> failures(results.size());
  std::vector<std::thread> threads;
  for (int rank = 0; rank < count; rank++) {
    threads.emplace_back([&, rank] {
      const auto at = static_cast<size_t>(rank);
      try {
        ProcessGroup group(loopback(rank, count, port), at::kCPU, kTimeout);
        results[at] = act(group);
        group.barrier();
      } catch (...) {
        failures[at] = std::current_exception();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  return results;
}

/// Rank 1 in a process of its own: this program's test case of that name.
class OtherRank {
 public:
  OtherRank(const std::string& test, int port) {
    const std::string filter = "--test-case=" + test;
    std::array<const char*, 4> arguments{"unit", "--no-skip", filter.c_str(), nullptr};
    std::vector<std::string> variables{"RANK=1", "WORLD_SIZE=2", "LOCAL_RANK=1", "MASTER_ADDR=127.0.0.1",
                                       fmt::format("MASTER_PORT={}", port)};
    for (char** inherited = environ; *inherited != nullptr; inherited++) variables.emplace_back(*inherited);
    std::vector<char*> environment;
    for (auto& variable : variables) environment.push_back(variable.data());
    environment.push_back(nullptr);
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    const int status = ::posix_spawn(&process_, "/proc/self/exe", &quiet, nullptr,
                                     const_cast<char* const*>(arguments.data()), environment.data());
    posix_spawn_file_actions_destroy(&quiet);
    REQUIRE(status == 0);
  }
  ~OtherRank() {
    if (process_ == 0) return;
    send(SIGKILL);
    wait();
  }
  OtherRank(const OtherRank&) = delete;
  OtherRank& operator=(const OtherRank&) = delete;

  void send(int signal) const { ::kill(process_, signal); }
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(process_, 0), &status, 0);
    return status;
  }

 private:
  pid_t process_ = 0;
};

/// rank 0 of such a pair
Ranks with_other(int port) {
  Ranks ranks = loopback(0, 2, port);
  ranks.meeting = ranks_with({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "127.0.0.1"}}).meeting;
  return ranks;
}

/// The sentence of the Error, and the seconds until it came.
template <class Act>
std::pair<std::string, double> failure_of(const Act& act) {
  const auto begin = Clock::now();
  std::string sentence = "none";
  try {
    act();
  } catch (const Error& error) {
    sentence = error.what();
  }
  return {sentence, std::chrono::duration<double>(Clock::now() - begin).count()};
}

Tensor noise(const std::string& name, at::IntArrayRef sizes) {
  const auto values = at::empty(sizes);
  RandomStream(5, name, "ranks").fill_normal(values);
  return values;
}

/// A toy with several buckets of gradients.
struct Toy {
  std::vector<Tensor> layers;
  Tensor kernel, sometimes, never;

  Toy() {
    for (int i = 0; i < 4; i++) layers.push_back(noise(fmt::format("layer {}", i), {640, 640}) / 25);
    kernel = noise("kernel", {10, 3, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast);
    sometimes = noise("sometimes", {5});
    never = noise("never", {7});
    for (const auto& [name, parameter] : parameters()) parameter.set_requires_grad(true);
  }

  NamedParameters parameters() const {
    NamedParameters all{{"kernel", kernel}, {"sometimes", sometimes}, {"never", never}};
    for (const Tensor& layer : layers) all.emplace_back("layer", layer);
    return all;
  }

  /// The mean over the batch of [N,3,8,8]; `with` takes part with each picture's first number if asked.
  Tensor loss(const Tensor& batch, bool with) const {
    Tensor x = at::conv2d(batch, kernel, {}, 1, 1).flatten(1);
    for (const Tensor& layer : layers) x = at::tanh(at::mm(x, layer));
    Tensor each = x.square().mean(1);
    if (with) each = each + batch.flatten(1).select(1, 0) * sometimes.sum();
    return each.mean();
  }

  std::vector<Tensor> gradients() const {
    std::vector<Tensor> all;
    for (const auto& [name, parameter] : parameters())
      all.push_back(parameter.grad().defined() ? parameter.grad().clone() : Tensor());
    return all;
  }
};

void require_close(const std::vector<Tensor>& got, const std::vector<Tensor>& wanted) {
  REQUIRE(got.size() == wanted.size());
  for (size_t i = 0; i < got.size(); i++) {
    CAPTURE(i);
    REQUIRE(got[i].defined() == wanted[i].defined());
    if (!got[i].defined()) continue;
    const double largest = wanted[i].abs().max().item<double>();
    CHECK(largest > 0);
    CHECK((got[i] - wanted[i]).abs().max().item<double>() <= 1e-5 * largest);
  }
}

void require_equal(const std::vector<Tensor>& one, const std::vector<Tensor>& other) {
  REQUIRE(one.size() == other.size());
  for (size_t i = 0; i < one.size(); i++) {
    REQUIRE(one[i].defined() == other[i].defined());
    if (one[i].defined()) CHECK(at::equal(one[i], other[i]));
  }
}

// --- collectives ---

TEST_CASE("process group: one alone keeps its own") {
  ProcessGroup alone(Ranks{}, at::kCPU);
  CHECK(alone.mean({1, 2}) == std::vector<double>{1, 2});
  Toy toy;
  GradientReducer reducer(alone, toy.parameters());
  reducer.expect_backward(true);
  toy.loss(noise("x", {2, 3, 8, 8}), true).backward();
  const auto before = toy.gradients();
  CHECK(reducer.finish() == 0);
  require_equal(toy.gradients(), before);
}

TEST_CASE("process group: broadcast gives all ranks rank 0's values") {
  const auto tensors_of = [](int rank) {
    return std::vector<Tensor>{
        noise(fmt::format("a{}", rank), {3, 4, 2, 2}).contiguous(at::MemoryFormat::ChannelsLast),
        at::full({}, rank + 7, at::kLong),
        at::empty({0}),
        at::full({3}, rank == 0, at::kBool),
        noise(fmt::format("b{}", rank), {5}).to(at::kBFloat16),
        noise(fmt::format("c{}", rank), {2700, 2600}),  // more than one message
        noise(fmt::format("d{}", rank), {6, 5}).t()};
  };
  const auto results = on_ranks<std::vector<Tensor>>(3, [&](ProcessGroup& group) {
    auto tensors = tensors_of(group.rank());
    group.broadcast(tensors);
    return tensors;
  });
  for (const auto& result : results) require_equal(result, tensors_of(0));
}

TEST_CASE("process group: broadcast between different networks is refused on all ranks") {
  const auto sentences = on_ranks<std::string>(2, [](ProcessGroup& group) {
    return failure_of([&] { group.broadcast({at::zeros({2 + group.rank()})}); }).first;
  });
  for (const auto& sentence : sentences) CHECK(sentence.find("different networks") != std::string::npos);
}

TEST_CASE("process group: means have the same bits on all ranks") {
  const auto results = on_ranks<std::vector<double>>(3, [](ProcessGroup& group) {
    return group.mean({1.0 / (group.rank() + 3), group.rank() == 1 ? NAN : 0.0, 1e300 * (group.rank() - 1)});
  });
  for (const auto& result : results) {
    CHECK(result[0] == (1.0 / 3 + 1.0 / 4 + 1.0 / 5) / 3);
    CHECK(std::isnan(result[1]));
    CHECK(result[2] == 0);
  }
}

TEST_CASE("process group: a meeting place where nobody is, is told") {
  Ranks ranks = loopback(1, 2, free_port());
  const auto [sentence, seconds] =
      failure_of([&] { ProcessGroup(ranks, at::kCPU, std::chrono::seconds(2)); });
  CHECK(sentence.find("rank 1 of 2 doesn't find the others through 127.0.0.1:") == 0);
  CHECK(seconds < 30);
}

// --- gradients ---

TEST_CASE("gradient reducer: two halves of a batch have the gradients of the whole") {
  constexpr int kSteps = 3;
  const auto batch = [](int step, int pass) {
    return noise(fmt::format("batch {} {}", step, pass), {4, 3, 8, 8});
  };
  // step 1 accumulates over two passes; step 2 keeps the tensors of the gradients before
  const auto passes = [](int step) { return step == 1 ? 2 : 1; };
  const auto prepare = [](const Toy& toy, int step) {
    for (const auto& [name, parameter] : toy.parameters()) {
      if (step < 2) parameter.mutable_grad() = Tensor();
      if (parameter.grad().defined()) parameter.mutable_grad().zero_();
    }
  };

  std::vector<Tensor> whole;
  Toy alone;
  for (int step = 0; step < kSteps; step++) {
    prepare(alone, step);
    for (int pass = 0; pass < passes(step); pass++) alone.loss(batch(step, pass), pass == 0).backward();
    for (const Tensor& gradient : alone.gradients()) whole.push_back(gradient);
  }
  const auto halves = on_ranks<std::vector<Tensor>>(2, [&](ProcessGroup& group) {
    Toy toy;
    GradientReducer reducer(group, toy.parameters());
    std::vector<Tensor> all;
    for (int step = 0; step < kSteps; step++) {
      prepare(toy, step);
      for (int pass = 0; pass < passes(step); pass++) {
        reducer.expect_backward(pass == passes(step) - 1);
        toy.loss(batch(step, pass).narrow(0, 2 * group.rank(), 2), pass == 0).backward();
      }
      reducer.finish();
      for (const Tensor& gradient : toy.gradients()) all.push_back(gradient);
    }
    return all;
  });
  require_close(halves[0], whole);
  require_equal(halves[1], halves[0]);
}

TEST_CASE("gradient reducer: a parameter without a gradient on one rank counts as zero there") {
  const auto x = noise("x", {1, 3, 8, 8});
  const auto results = on_ranks<std::vector<Tensor>>(2, [&](ProcessGroup& group) {
    Toy toy;
    GradientReducer reducer(group, toy.parameters());
    toy.loss(x, true).backward();  // not announced
    drop_gradients(toy.parameters());
    reducer.expect_backward(true);
    toy.loss(x, group.rank() == 0).backward();
    reducer.finish();
    return toy.gradients();
  });
  Toy alone;
  alone.loss(x, true).backward();
  auto wanted = alone.gradients();
  wanted[1] = wanted[1] / 2;
  require_close(results[0], wanted);
  require_equal(results[1], results[0]);
}

TEST_CASE("gradient reducer: gradients keep the parameters' layout, and sums start during the pass") {
  struct Seen {
    size_t buckets = 0, started_before_last = 0;
    bool same_layout = true;
  };
  const auto results = on_ranks<Seen>(2, [&](ProcessGroup& group) {
    Toy toy;
    GradientReducer reducer(group, toy.parameters());
    Seen seen;
    seen.buckets = reducer.buckets();
    toy.kernel.register_hook([&](const Tensor&) { seen.started_before_last = reducer.buckets_started(); });
    reducer.expect_backward(true);
    toy.loss(noise("x", {1, 3, 8, 8}), true).backward();
    reducer.finish();
    for (const auto& [name, parameter] : toy.parameters()) {
      if (parameter.grad().defined())
        seen.same_layout = seen.same_layout && parameter.grad().strides() == parameter.strides();
    }
    return seen;
  });
  for (const Seen& seen : results) {
    CHECK(seen.buckets >= 4);
    CHECK(seen.started_before_last >= 3);
    CHECK(seen.same_layout);
  }
}

// --- trainers ---

TEST_CASE("ranks: shares whose parts differ in size have the loss and gradient of the whole batch") {
  const auto config = read_train_config(TomlValue::parse(R"(
data = { crop = 32, batch = 6 }
generator = { network = "rrdbnet", features = 8, growth = 4, blocks = 1 }
loss = { pixel = { weight = 1 } }
accumulate = 2
)",
                                                         "test"));
  const TrainingBatch batch{noise("lr", {6, 3, 8, 8}), noise("hr", {6, 3, 32, 32})};
  const auto stepped = [&](ProcessGroup* group, std::int64_t first, std::int64_t count) {
    Trainer trainer(config, {}, {[](const std::string&) { return StateDict(); }, {}}, group);
    return trainer.step(0, {batch.lr.narrow(0, first, count), batch.hr.narrow(0, first, count)});
  };
  const auto whole = stepped(nullptr, 0, 6);
  const auto shared =
      on_ranks<StepReport>(2, [&](ProcessGroup& group) { return stepped(&group, 3 * group.rank(), 3); });
  CHECK(shared[0].losses[0].second == doctest::Approx(whole.losses[0].second).epsilon(1e-6));
  CHECK(shared[0].taken.gradient_norm == doctest::Approx(whole.taken.gradient_norm).epsilon(1e-5));
}

// --- ranks that go ---

TEST_CASE("process group: rank 0 is awaited beyond the time in which all must answer") {
  constexpr auto kShort = std::chrono::seconds(3);
  const int port = free_port();
  std::thread first([&] {
    ProcessGroup group(loopback(0, 2, port), at::kCPU, kShort);
    std::this_thread::sleep_for(kShort + std::chrono::seconds(1));
    group.await_first();
  });
  const auto [sentence, seconds] = failure_of([&] {
    ProcessGroup group(loopback(1, 2, port), at::kCPU, kShort);
    group.await_first();
  });
  first.join();
  CHECK(sentence == "none");
}

TEST_CASE("process group: a rank that is killed ends the others' waiting") {
  const int port = free_port();
  OtherRank other("the other rank: silent", port);
  ProcessGroup group(with_other(port), at::kCPU, kTimeout);
  CHECK(group.mean({3})[0] == 2);
  Toy toy;
  GradientReducer reducer(group, toy.parameters());
  reducer.expect_backward(true);
  toy.loss(noise("x", {1, 3, 8, 8}), true).backward();
  std::thread killer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    other.send(SIGKILL);
  });
  const auto [sentence, seconds] = failure_of([&] { reducer.finish(); });
  killer.join();
  MESSAGE(sentence);
  CHECK(sentence.find("another rank stopped: ") == 0);
  CHECK(sentence.find("; the run can be resumed from its last checkpoint") != std::string::npos);
  CHECK(seconds < 10);
  const auto [again, soon] = failure_of([&] { group.barrier(); });
  CHECK(again.find("another rank stopped: ") == 0);
  CHECK(soon < 10);
}

TEST_CASE("process group: a rank that doesn't answer ends the others' waiting in time") {
  constexpr auto kShort = std::chrono::seconds(3);
  const int port = free_port();
  std::atomic<bool> over = false;
  std::thread silent([&] {
    ProcessGroup group(loopback(1, 2, port), at::kCPU, kShort);
    while (!over) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  });
  std::pair<std::string, double> failure;
  {
    ProcessGroup group(loopback(0, 2, port), at::kCPU, kShort);
    failure = failure_of([&] { group.mean({1}); });
    over = true;
  }
  silent.join();
  const auto& [sentence, seconds] = failure;
  MESSAGE(sentence);
  CHECK(sentence.find("another rank stopped: ") == 0);
  CHECK(seconds > 2.5);
  CHECK(seconds < 20);
}

TEST_CASE("process group: a signal ends the waiting") {
  const int port = free_port();
  OtherRank other("the other rank: waits for a signal", port);
  ProcessGroup group(with_other(port), at::kCPU, kTimeout);
  CHECK(group.mean({3})[0] == 2);
  other.send(SIGTERM);
  const int status = other.wait();
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == kInterruptedStatus);
}

// What rank 1 does in the process that the tests above start.

TEST_CASE("the other rank: silent" * doctest::skip()) {
  if (std::getenv("RANK") == nullptr) return;
  ProcessGroup group(ranks_of_environment(), at::kCPU, kTimeout);
  group.mean({1});
  for (;;) ::pause();
}

TEST_CASE("the other rank: waits for a signal" * doctest::skip()) {
  if (std::getenv("RANK") == nullptr) return;
  catch_signals();
  ProcessGroup group(ranks_of_environment(), at::kCPU, kTimeout);
  try {
    group.mean({1});
    group.barrier();
  } catch (const Interrupted&) {
    std::_Exit(kInterruptedStatus);
  }
}

}  // namespace
