#include "core/error.h"
#include "nets/recomputed.h"
#include "trainer_testing.h"
#include "training/trainer.h"

namespace {

using namespace sr;
using namespace sr::testing;

TrainConfig config_of(const std::string& text) { return read_train_config(TomlValue::parse(text, "test")); }

const std::string kSmall = R"(
iterations = 10
data = { crop = 32, batch = 4 }
generator = { network = "rrdbnet", features = 8, growth = 4, blocks = 2 }
loss = { pixel = { weight = 1 } }
optimiser = { rate = 1e-3 }
)";

TrainingBatch batch_of(std::uint64_t seed) {
  torch::manual_seed(seed);
  return {torch::rand({4, 3, 8, 8}), torch::rand({4, 3, 32, 32})};
}

Trainer trainer_of(const std::string& text) {
  return Trainer(config_of(text), {}, {[](const std::string&) { return StateDict(); }, {}});
}

bool same(const StateDict& a, const StateDict& b) {
  return a.size() == b.size() && std::all_of(a.begin(), a.end(), [&](const auto& entry) {
           const auto other = b.find(entry.first);
           return other != b.end() && entry.second.equal(other->second);
         });
}

double largest_difference(const StateDict& a, const StateDict& b) {
  double largest = 0;
  for (const auto& [name, tensor] : a)
    largest = std::max(largest, (tensor.to(at::kDouble) - b.at(name)).abs().max().item<double>());
  return largest;
}

}  // namespace

TEST_CASE("training: a state that is taken up again goes on as if nothing had been") {
  auto whole = trainer_of(kSmall), first = trainer_of(kSmall), second = trainer_of(kSmall);
  check_goes_on(whole, first, second, batch_of);
}

TEST_CASE("training: parts of a batch add up to the whole batch") {
  for (const auto& batch : {batch_of(1), three_of(batch_of(1))}) {
    auto whole = trainer_of(kSmall), parts = trainer_of(kSmall + "accumulate = 2\n");
    const auto a = whole.step(0, batch), b = parts.step(0, batch);
    CHECK(a.losses[0].second == doctest::Approx(b.losses[0].second).epsilon(1e-6));
    CHECK(a.taken.gradient_norm == doctest::Approx(b.taken.gradient_norm).epsilon(1e-5));
  }
}

TEST_CASE("training: checkpointed gradients are the plain ones, random paths included") {
  const std::string swinir = R"(
iterations = 10
data = { crop = 32, batch = 4 }
generator = { network = "swinir", embedding = 12, depths = [2, 2], heads = [2, 2], window = 4, path_drop = 0.5 }
loss = { pixel = { weight = 1 } }
optimiser = { rate = 1e-3 }
)";
  for (const auto& text : {kSmall, swinir}) {
    auto plain = trainer_of(text), recomputed = trainer_of(text + "checkpointing = true\n");
    train(plain, 0, 3, batch_of);
    train(recomputed, 0, 3, batch_of);
    // attention rounds otherwise while gradients are off, and Adam's first steps make rates of differences
    CHECK(largest_difference(plain.state(), recomputed.state()) < 1e-5);
  }
}

TEST_CASE("training: a loss that is no number stops before it does harm") {
  auto trainer = trainer_of(kSmall);
  const auto before = copied(trainer.state());
  auto batch = batch_of(1);
  batch.hr[0][0][0][0] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH_AS(trainer.step(0, batch), "the loss 'pixel' became nan", Error);
  CHECK(same(before, trainer.state()));
}

TEST_CASE("training: a state of another network says what doesn't fit") {
  auto small = trainer_of(kSmall);
  auto other = trainer_of(R"(
data = { crop = 32, batch = 4 }
generator = { network = "rrdbnet", features = 12, growth = 4, blocks = 2 }
loss = { pixel = { weight = 1 } }
)");
  CHECK_THROWS_AS(other.load_state(small.state()), Error);
}

TEST_CASE("settings of training are told by their line where they are wrong") {
  CHECK_THROWS_WITH_AS(config_of("iterations = 0\n"), "test:1: 0 is not between 1 and 1e+09", UsageError);
  CHECK_THROWS_AS(config_of("iterations = 5\n"), UsageError);  // no loss
  CHECK_THROWS_AS(config_of("loss = { gan = { weight = 1 } }\n"), UsageError);
  CHECK_THROWS_AS(config_of(kSmall + "nonsense = 1\n"), UsageError);
}

TEST_CASE("settings print as TOML that reads back equal") {
  const std::string text = "a = 1\nb = [\"x \\\"y\\\"\", 0.1]\n\n[c]\nd = { e = true, \"f g\" = [] }\n";
  const auto once = TomlValue::parse(text, "test").document();
  CHECK(TomlValue::parse(once, "test").document() == once);
  CHECK(once.find("\"f g\" = []") != std::string::npos);
}
