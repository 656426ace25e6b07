// DAPE's trainer, held against its parts, which recorded cases cover.

#include "core/error.h"
#include "ram_testing.h"
#include "tagging/ram_input.h"
#include "trainer_testing.h"
#include "training/dape_trainer.h"

using namespace sr;
using namespace sr::testing;

namespace {

DapeConfig config_of(const std::string& text) { return read_dape_config(TomlValue::parse(text, "test")); }

const std::string kSettings = R"(
data = { crop = 40, batch = 4 }
optimiser = { kind = "adamw", rate = 1e-2, betas = [0.9, 0.999] }
)";
const std::string kDropping = kSettings + "dape = { rank = 2, path_drop = 0.3, dropout = 0.3 }\n";
const std::string kPlain = kSettings + "dape = { rank = 2, path_drop = 0, dropout = 0 }\n";

DapeTrainer trainer_of(const std::string& text) {
  return {config_of(text), {}, {[](const std::string&) { return tiny_ram_weights(); }, {}}};
}

TrainingBatch batch_of(std::int64_t seed) {
  at::manual_seed(static_cast<std::uint64_t>(seed));
  return {at::rand({4, 3, 40, 40}), at::rand({4, 3, 40, 40})};
}

double distance(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

}  // namespace

TEST_CASE("DAPE's trainer: a step is the loss's gradient and AdamW's update") {
  auto trainer = trainer_of(kPlain);
  const auto start = copied(trainer.state());
  const auto batch = batch_of(1);
  const auto report = trainer.step(0, batch);

  const auto teacher = make_ram(tiny_ram_weights()), student = make_ram(tiny_ram_weights());
  adapt_lora(*student, 2);
  const auto lora = lora_state(*student);
  {
    const at::NoGradGuard no_grad;
    for (const auto& [key, tensor] : lora) Tensor(tensor).copy_(start.at("student." + key));
  }
  const auto answers = [](const Ram& ram, const Tensor& pictures) {
    const Tensor embeddings = ram.embed(ram_input(pictures, 32));
    return RamAnswers{embeddings, ram.logits(embeddings)};
  };
  const auto terms = DapeLoss{}(answers(*student, batch.lr), answers(*teacher, batch.hr));
  terms.sum().backward();
  const auto trained = trained_parameters(*student);
  Adam(trained, {.decoupled = true}).step(1e-2);

  CHECK(report.losses[0].first == "embeddings");
  CHECK(report.losses[0].second == doctest::Approx(terms.embeddings.item<double>()));
  CHECK(report.losses[1].second == doctest::Approx(terms.logits.item<double>()));
  const auto state = trainer.state();
  CHECK(trained.size() == lora.size());
  for (const auto& [key, tensor] : lora) {
    CAPTURE(key);
    CHECK(distance(state.at("student." + key), tensor) < 1e-6);
  }
}

TEST_CASE("DAPE's trainer: a state that is taken up again goes on as if nothing had been") {
  auto whole = trainer_of(kDropping), first = trainer_of(kDropping), second = trainer_of(kDropping);
  check_goes_on(whole, first, second, batch_of);
}

TEST_CASE("DAPE's trainer: parts of a batch add up to the whole batch") {
  for (const auto& batch : {batch_of(1), three_of(batch_of(1))}) {
    auto whole = trainer_of(kPlain), parts = trainer_of("accumulate = 2\n" + kPlain);
    const auto a = whole.step(0, batch), b = parts.step(0, batch);
    CHECK(a.losses[0].second == doctest::Approx(b.losses[0].second).epsilon(1e-6));
    CHECK(a.taken.gradient_norm == doctest::Approx(b.taken.gradient_norm).epsilon(1e-4));
  }
}

TEST_CASE("DAPE's trainer: its file makes RAM the student") {
  auto trainer = trainer_of(kDropping);
  for (std::int64_t i = 0; i < 3; i++) trainer.step(i, batch_of(i));
  const auto ram = make_ram(tiny_ram_weights());
  load_dape(*ram, trainer.result());
  const auto state = trainer.state();
  for (const auto& [key, tensor] : lora_state(*ram)) {
    CAPTURE(key);
    CHECK(tensor.equal(state.at("student." + key)));
    CHECK(tensor.abs().max().item<float>() > 0);
  }
}

TEST_CASE("DAPE's trainer: other weights are refused by what they are") {
  const TrainingWeights weights{[](const std::string&) { return StateDict{{"x", at::zeros({1})}}; }, {}};
  CHECK_THROWS_AS(DapeTrainer(config_of(kPlain), {}, weights), UsageError);
}
