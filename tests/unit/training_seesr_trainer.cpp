// SeeSR's trainer, held against its parts, which recorded cases cover.

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "core/random.h"
#include "nets/lora.h"
#include "ram_testing.h"
#include "seesr_testing.h"
#include "tagging/ram_input.h"
#include "trainer_testing.h"
#include "training/seesr_trainer.h"

using namespace sr;
using namespace sr::testing;

namespace {

SeesrConfig config_of(const std::string& text) { return read_seesr_config(TomlValue::parse(text, "test")); }

const std::string kSettings = R"(
data = { crop = 32, batch = 4, scale = 4, hr = "hr", tags = "tags" }
optimiser = { kind = "adamw", rate = 2e-3, betas = [0.9, 0.999], weight_decay = 1e-2, clip_norm = 1 }
seesr = { null_text_ratio = 0.5 }
)";

using Heard = std::vector<std::string>;

/// A text as numbers that depend on all of it.
Tensor said(const std::string& text) {
  Tensor numbers = at::empty({5, 12}, at::kFloat);
  RandomStream(1, text, "text").fill_normal(numbers);
  return numbers;
}

/// What is encoded is `heard`.
SeesrParts parts_of(Heard* heard = nullptr) {
  const auto encode = [heard](const std::vector<std::string>& captions) {
    std::vector<Tensor> texts;
    for (const auto& caption : captions) texts.push_back(said(caption));
    if (heard != nullptr) heard->insert(heard->end(), captions.begin(), captions.end());
    return at::stack(texts);
  };
  auto ram = make_ram(tiny_ram_weights());
  return {.unet = tiny_unet(),
          .controlnet = tiny_controlnet(),
          .vae = tiny_vae(),
          .scheduler = DdpmScheduler({.beta_start = 0.00085, .beta_end = 0.012}),
          .encode = encode,
          .ram = std::move(ram),
          .tags = {}};
}

SeesrTrainer trainer_of(const std::string& text, Heard* heard = nullptr, const Arithmetic& arithmetic = {}) {
  return {config_of(text), arithmetic, parts_of(heard)};
}

TrainingBatch batch_of(std::uint64_t seed) {
  TrainingBatch batch{drawn({4, 3, 32, 32}, seed).sigmoid(), drawn({4, 3, 32, 32}, seed + 1000).sigmoid()};
  batch.repeats.resize(4);
  for (int i = 0; i < 4; i++) {
    batch.items.push_back(fmt::format("iteration {} sample {}", seed, i));
    batch.captions.push_back(fmt::format("caption {},", i));
  }
  return batch;
}

}  // namespace

TEST_CASE("SeeSR's trainer: a step is the loss of what the seed draws, and nothing else is changed") {
  const auto parts = parts_of();
  const auto before = copied(tensors_of(*parts.unet)), ram = copied(tensors_of(*parts.ram));
  SeesrTrainer trainer(config_of(kSettings), {}, parts);
  const auto batch = batch_of(3);
  const auto report = trainer.step(0, batch);

  const auto fresh = parts_of();
  std::vector<Tensor> code, added, texts, timesteps;
  for (size_t i = 0; i < 4; i++) {
    const auto stream = [&](const char* purpose) { return RandomStream(0, batch.items[i], purpose); };
    stream("code").fill_normal(code.emplace_back(at::empty({4, 4, 4})));
    stream("noise").fill_normal(added.emplace_back(at::empty({4, 4, 4})));
    timesteps.push_back(at::tensor(stream("timestep").integer(0, 999)));
    texts.push_back(said(stream("caption").uniform() < 0.5 ? "" : batch.captions[i]));
  }
  const at::NoGradGuard no_grad;
  const auto step =
      seesr_forward(*fresh.unet, *fresh.controlnet, fresh.scheduler,
                    seesr_latents(*fresh.vae, seesr_moments(*fresh.vae, batch.hr), at::stack(code)),
                    {.pictures = batch.lr,
                     .text = at::stack(texts),
                     .image_tokens = fresh.ram->embed(ram_input(batch.lr, 32, RamResize::bicubic))},
                    {.code = at::stack(code), .added = at::stack(added), .timesteps = at::cat(timesteps)});
  CHECK(report.losses.at(0).first == "noise");
  CHECK(report.losses.at(0).second == doctest::Approx(step.loss().item<double>()).epsilon(1e-6));
  for (const auto& [name, tensor] : tensors_of(*parts.unet)) {
    CAPTURE(name);
    CHECK(tensor.equal(before.at(name)) != is_image_attention(name));
  }
  for (const auto& [name, tensor] : tensors_of(*parts.ram)) CHECK(tensor.equal(ram.at(name)));
}

TEST_CASE("SeeSR's trainer: what is trained is what is kept") {
  std::set<std::string> expected;
  for (const auto& [name, tensor] : tensors_of(*tiny_unet()))
    if (is_image_attention(name)) expected.insert("unet." + name);
  for (const auto& [name, tensor] : tensors_of(*tiny_controlnet())) expected.insert("controlnet." + name);
  std::set<std::string> found;
  for (const auto& [name, tensor] : trainer_of(kSettings).state()) {
    if (name.starts_with("trained.")) found.insert(name.substr(8));
  }
  CHECK(found == expected);
}

TEST_CASE("SeeSR's trainer: the loss falls") {
  auto trainer = trainer_of(kSettings);
  const auto mean_of = [&](std::int64_t from) {
    double sum = 0;
    for (auto i = from; i < from + 5; i++) sum += trainer.step(i, batch_of(1)).losses.at(0).second;
    return sum / 5;
  };
  const double first = mean_of(0);
  mean_of(5);
  mean_of(10);
  CHECK(mean_of(15) < 0.9 * first);
}

TEST_CASE("SeeSR's trainer: a state that is taken up again goes on as if nothing had been") {
  const auto averaging = "ema = 0.9\n" + kSettings;
  auto whole = trainer_of(averaging), first = trainer_of(averaging), second = trainer_of(averaging);
  check_goes_on(whole, first, second, batch_of);
  const auto state = second.state();
  const auto result = second.result();
  CHECK(result.at("controlnet.conv_in.weight").equal(state.at("ema.controlnet.conv_in.weight")));
}

TEST_CASE("SeeSR's trainer: parts of a batch, and layers that are recomputed, come to the same") {
  for (const auto& batch : {batch_of(1), three_of(batch_of(1))}) {
    const auto expected = trainer_of(kSettings).step(0, batch);
    for (const std::string how : {"accumulate = 2\n", "checkpointing = true\n"}) {
      CAPTURE(how);
      const auto report = trainer_of(how + kSettings).step(0, batch);
      CHECK(report.losses[0].second == doctest::Approx(expected.losses[0].second).epsilon(1e-6));
      CHECK(report.taken.gradient_norm == doctest::Approx(expected.taken.gradient_norm).epsilon(1e-4));
    }
  }
}

TEST_CASE("SeeSR's trainer: bfloat16 is near float32, and what learns stays float32") {
  const auto expected = trainer_of(kSettings).step(0, batch_of(1));
  auto trainer = trainer_of("checkpointing = true\n" + kSettings, nullptr, {at::kCPU, at::kBFloat16});
  const auto report = trainer.step(0, batch_of(1));
  CHECK(report.losses[0].second != expected.losses[0].second);
  CHECK(report.losses[0].second == doctest::Approx(expected.losses[0].second).epsilon(0.02));
  CHECK(report.taken.gradient_norm == doctest::Approx(expected.taken.gradient_norm).epsilon(0.1));
  for (const auto& [name, tensor] : trainer.state()) CHECK((tensor.scalar_type() != at::kBFloat16));
}

TEST_CASE("SeeSR's trainer: about half of the captions are dropped, the same ones for the same items") {
  Heard heard, again;
  auto trainer = trainer_of(kSettings, &heard);
  train(trainer, 0, 10, batch_of);
  auto other = trainer_of("accumulate = 2\n" + kSettings, &again);
  train(other, 0, 10, batch_of);
  CHECK(heard == again);
  CHECK(heard.size() == 40);
  const auto dropped = std::count(heard.begin(), heard.end(), "");
  CHECK(dropped > 10);
  CHECK(dropped < 30);
  for (size_t i = 0; i < heard.size(); i++)
    CHECK((heard[i].empty() || heard[i] == fmt::format("caption {},", i % 4)));
}

TEST_CASE("SeeSR's trainer: without captions RAM, not DAPE, names what is sharp") {
  Heard heard;
  auto parts = parts_of(&heard);
  const auto batch = batch_of(1);
  const Tensor probabilities =
      tag_probabilities(parts.ram->logits(parts.ram->embed(ram_input(batch.hr, 32))));
  adapt_lora(*parts.ram, 2);
  {
    const at::NoGradGuard no_grad;
    for (const auto& [name, tensor] : lora_state(*parts.ram)) Tensor(tensor).fill_(0.7);
  }
  parts.tags = {.names = {"a", "b", "c", "d", "e"}, .thresholds = at::full({5}, 0.5)};
  auto config = config_of(kSettings);
  config.null_text_ratio = 0;
  config.data.sources.clear();
  SeesrTrainer(config, {}, parts).step(0, batch);
  REQUIRE(heard.size() == 4);
  for (size_t i = 0; i < 4; i++) {
    const auto present =
        present_tags(probabilities[static_cast<std::int64_t>(i)].detach(), parts.tags->thresholds);
    CHECK(heard[i] == joined_tags(*parts.tags, present) + ",");
  }
}
