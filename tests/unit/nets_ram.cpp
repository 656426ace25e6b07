// RAM, DAPE and LoRA, where recorded cases don't reach: key lists of the full sizes, overlays, wrong files.

#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/InferenceMode.h>
#include <set>

#include "nets/checkpoint_kind.h"
#include "nets/clip.h"
#include "nets_keys.h"
#include "ram_testing.h"
#include "training/dape_loss.h"
#include "training/parameters.h"
#include "weights_testing.h"

using namespace sr;
using namespace sr::testing;

namespace {

double distance(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

/// LoRA for the tiny RAM that changes something.
StateDict tiny_dape(int64_t rank = 2) {
  Ram ram(tiny_ram_config());
  adapt_lora(ram, rank);
  StateDict lora;
  at::manual_seed(3);
  for (const auto& [key, tensor] : lora_state(ram)) lora[key] = at::randn(tensor.sizes());
  return lora;
}

Tensor images(int64_t count = 1) {
  at::manual_seed(2);
  return at::randn({count, 3, 32, 32});
}

std::set<std::string> without_computed(const StateDict& weights) {
  std::set<std::string> found;
  for (const auto& [key, tensor] : weights) {
    if (!computed_of_windows(key)) found.insert(key);
  }
  return found;
}

std::set<std::string> name_set(const StateDict& weights) {
  const auto list = names(weights);
  return {list.begin(), list.end()};
}

StateDict renamed(const StateDict& weights, const std::string& from, const std::string& to) {
  StateDict found;
  for (const auto& [key, tensor] : weights) {
    std::string name = key;
    if (const auto at = name.find(from); at != std::string::npos) name.replace(at, from.size(), to);
    found[name] = tensor;
  }
  return found;
}

}  // namespace

TEST_CASE("RAM: the official key list tells the official network") {
  StateDict official = key_list("ram_swin_l_used");
  CHECK((detect_ram(official) == RamConfig{}));
  CHECK((detect_ram(ram_weights(renamed(official, "tagging_head", "vision_multi"))) == RamConfig{}));
  for (auto entry = official.begin(); entry != official.end();)  // no masks: the last stage is one window
    entry = computed_of_windows(entry->first) ? official.erase(entry) : std::next(entry);
  CHECK((detect_ram(official) == RamConfig{}));
}

TEST_CASE("RAM and DAPE: names are those of the official files") {
  // As deep as the official network, and narrow.
  RamConfig config;
  config.swin.features = 48;
  config.head.features = 8;
  config.head.mlp_features = 8;
  config.classes = 2;
  Ram ram(config);
  CHECK((name_set(tensors_of(ram)) == without_computed(key_list("ram_swin_l_used"))));
  CHECK_THROWS_AS(dape_file(ram), Error);
  adapt_lora(ram, 8);
  const StateDict file = dape_file(ram), official = key_list("dape_lora");
  CHECK(name_set(file) == name_set(official));
  const auto size = [](const StateDict& of, const std::string& key, int64_t axis) {
    return of.at("tagging_head.encoder.layer.0.crossattention.self.key." + key).size(axis);
  };
  CHECK(size(file, "lora_A", 0) == size(official, "lora_A", 0));
  CHECK(size(file, "lora_A", 1) == size(official, "lora_A", 1));
  CHECK(size(file, "lora_B", 1) == size(official, "lora_B", 1));
  const std::string unused = "tag_encoder.encoder.layer.11.crossattention.self.key.lora_A";
  CHECK((file.at(unused).sizes() == official.at(unused).sizes()));
  load_dape(ram, file);
}

TEST_CASE("RAM: masks tell the image's side, other tensors are passed over") {
  RamConfig config = tiny_ram_config();
  config.swin.depths = {2, 1};
  config.swin.heads = {1, 2};
  config.swin.image_size = 64;  // the last stage has four windows
  config.swin.window = 4;
  StateDict weights = tiny_ram_weights(config);
  CHECK(detect_ram(weights)->swin.image_size == 32);
  weights["visual_encoder.layers.0.blocks.1.attn_mask"] = at::zeros({16, 16, 16});
  weights["text_decoder.bert.embeddings.position_ids"] = at::zeros({1, 4}, at::kLong);
  CHECK((detect_ram(weights) == config));
  CHECK((make_ram(weights)->embed(at::zeros({1, 3, 64, 64})).sizes() == at::IntArrayRef{1, 65, 12}));
}

TEST_CASE("RAM: embeddings begin with the mean token, and images don't see each other") {
  const at::NoGradGuard no_grad;
  const auto ram = make_ram(tiny_ram_weights());
  const Tensor batch = images(3), embeddings = ram->embed(batch), logits = ram->logits(embeddings);
  CHECK((embeddings.sizes() == at::IntArrayRef{3, 5, 12}));
  CHECK((logits.sizes() == at::IntArrayRef{3, 5}));
  CHECK(distance(embeddings.select(1, 0), embeddings.slice(1, 1).mean(1)) < 1e-5);
  const Tensor alone = ram->embed(batch.slice(0, 1, 2));
  CHECK(distance(alone, embeddings.slice(0, 1, 2)) < 1e-5);
  CHECK(distance(ram->logits(alone), logits.slice(0, 1, 2)) < 1e-5);
}

TEST_CASE("RAM: bfloat16 weights answer in float32, about the same") {
  const c10::InferenceMode inference;
  const auto ram = make_ram(tiny_ram_weights());
  const Tensor embeddings = ram->embed(images()), logits = ram->logits(embeddings);
  set_precision(*ram, at::kBFloat16);
  const Tensor coarse = ram->embed(images());
  CHECK((coarse.scalar_type() == at::kFloat));
  CHECK((ram->logits(coarse).scalar_type() == at::kFloat));
  CHECK(distance(coarse, embeddings) < 0.1);
  CHECK(distance(ram->logits(coarse), logits) < 0.1);
}

TEST_CASE("DAPE: merged into RAM it answers as beside it") {
  const at::NoGradGuard no_grad;
  const auto ram = make_ram(tiny_ram_weights());
  const Tensor plain = ram->embed(images()), plain_logits = ram->logits(plain);
  StateDict file = tiny_dape();
  file["tag_encoder.encoder.layer.0.attention.self.query.lora_A"] = at::ones({2, 8});
  file["text_decoder.bert.encoder.layer.0.attention.self.key.lora_B"] = at::ones({8, 2});
  load_dape(*ram, file);
  const Tensor beside = ram->embed(images()), logits = ram->logits(beside);
  CHECK(distance(beside, plain) > 0.01);
  CHECK(distance(ram->logits(plain), plain_logits) > 1e-5);
  mute_lora(*ram, true);
  CHECK(ram->embed(images()).equal(plain));
  mute_lora(*ram, false);
  merge_lora(*ram);
  CHECK(lora_state(*ram).empty());
  CHECK(ram->parameters().size() == tiny_ram_weights().size());
  CHECK(distance(ram->embed(images()), beside) < 1e-5);
  CHECK(distance(ram->logits(beside), logits) < 1e-5);
}

TEST_CASE("DAPE: a file of RAM with its LoRA loads as both") {
  const at::NoGradGuard no_grad;
  StateDict both = tiny_ram_weights();
  const auto ram = make_ram(both);
  const StateDict lora = tiny_dape(3);
  load_dape(*ram, lora);
  both.insert(lora.begin(), lora.end());
  CHECK(make_ram(both)->embed(images()).equal(ram->embed(images())));
}

TEST_CASE("LoRA: the key's part of a fused projection stays") {
  const at::NoGradGuard no_grad;
  at::manual_seed(4);
  LoraLinear layer(6, 12, {true, false, true});
  layer.weight.normal_();
  const Tensor before = layer.weight.clone();
  layer.adapt(2);
  CHECK((layer.lora_A.sizes() == at::IntArrayRef{4, 6}));
  CHECK((layer.lora_B.sizes() == at::IntArrayRef{8, 2}));
  layer.lora_A.normal_();
  layer.lora_B.normal_();
  const Tensor a = layer.lora_A.clone(), b = layer.lora_B.clone();
  layer.merge();
  const Tensor change = layer.weight - before;
  CHECK(change.slice(0, 4, 8).abs().max().item<float>() == 0);
  CHECK(distance(change.slice(0, 0, 4), b.slice(0, 0, 4).mm(a.slice(0, 0, 2)) / 2) < 1e-6);
  CHECK(distance(change.slice(0, 8, 12), b.slice(0, 4, 8).mm(a.slice(0, 2, 4)) / 2) < 1e-6);
  CHECK_THROWS_AS(LoraLinear(6, 10, {true, false, true}), Error);
}

TEST_CASE("DAPE begins as RAM, and nothing but LoRA learns") {
  const auto ram = make_ram(tiny_ram_weights());
  const Tensor plain = ram->embed(images());
  CHECK(trained_parameters(*ram).empty());
  adapt_lora(*ram, 2);
  draw_lora(*ram, at::detail::createCPUGenerator(5));
  const Tensor embeddings = ram->embed(images());
  CHECK(distance(embeddings, plain) < 1e-6);  // what learns is reckoned by other loops
  const StateDict lora = lora_state(*ram);
  CHECK(trained_parameters(*ram).size() == lora.size());
  // B is zero at first, so A has gradients of zero.
  DapeLoss{}({embeddings, ram->logits(embeddings)}, {plain + 1, ram->logits(plain) + 1}).sum().backward();
  for (const auto& [key, tensor] : lora) {
    CAPTURE(key);
    CHECK((tensor.grad().abs().max().item<float>() > 0) == key.ends_with("lora_B"));
  }
}

TEST_CASE("RAM: drops in training alone") {
  const at::NoGradGuard no_grad;
  RamConfig config = tiny_ram_config();
  config.swin.path_drop_rate = 0.5;
  config.head.drop_rate = 0.5;
  Ram ram(config);
  randomise(ram);
  ram.train();
  const Tensor batch = images(8), embeddings = ram.embed(batch);
  CHECK_FALSE(embeddings.equal(ram.embed(batch)));
  CHECK_FALSE(ram.logits(embeddings).equal(ram.logits(embeddings)));
  ram.eval();
  CHECK(ram.embed(batch).equal(ram.embed(batch)));
  CHECK(ram.logits(embeddings).equal(ram.logits(embeddings)));
}

TEST_CASE("DAPE's loss is finite where probabilities are 0 or 1") {
  const Tensor extreme = torch::tensor({200.0F, -200.0F}).unsqueeze(0), none = at::zeros({1, 1, 1});
  const auto terms = DapeLoss{}({none, extreme}, {none, -extreme});
  CHECK(terms.logits.item<double>() == doctest::Approx(200));
  CHECK(terms.embeddings.item<double>() == 0);
}

TEST_CASE("wrong checkpoints say what they are") {
  const StateDict weights = tiny_ram_weights(), dape = tiny_dape();
  const auto ram = make_ram(weights);
  const auto of_ram = [](const StateDict& file) { return error_of([&] { make_ram(file); }); };
  const auto of_dape = [&](const StateDict& file) { return error_of([&] { load_dape(*ram, file); }); };
  CHECK(of_ram(dape) == "the weights are not RAM's but DAPE's, LoRA to be laid over RAM");
  CHECK(of_dape(weights) == "the weights are not DAPE's but RAM's");
  CHECK(of_ram(key_list("swinir_lightweight_x4")) ==
        "the weights are not RAM's but those of an upscaler (SwinIR)");
  CHECK(of_ram(key_list("rrdbnet_trunk_x4")) ==
        "the weights are not RAM's but those of an upscaler (RRDBNet)");
  CHECK(of_ram({}) == "the weights are not RAM's but of no kind known here");
  StateDict plus = weights;
  plus["reweight_scale"] = at::zeros({});
  CHECK(of_ram(plus) == "the weights are not RAM's but RAM++'s");
  CHECK(checkpoint_kind({{"visual.conv1.weight", {}}, {"token_embedding.weight", {}}}) == "CLIP's");
  CHECK(checkpoint_kind({{"conv_first.weight", {}}, {"layers.0.x", {}}}) == "of no kind known here");
}

TEST_CASE("what does not fit is named") {
  StateDict weights = tiny_ram_weights();
  weights.erase("fc.bias");
  weights["visual_encoder.norm.bias"] = at::zeros({3});
  CHECK(error_of([&] { make_ram(weights); }) ==
        "the weights do not fit RAM: fc.bias is missing; visual_encoder.norm.bias is 3, not 32");
  const auto ram = make_ram(tiny_ram_weights());
  StateDict dape = tiny_dape();
  const std::string key = "tagging_head.encoder.layer.1.crossattention.self.key.lora_A";
  dape[key] = at::zeros({2, 7});
  CHECK(error_of([&] { load_dape(*ram, dape); }) ==
        "LoRA does not fit the network: " + key + " is 2x7, not 2x12");
  dape.erase(key);
  CHECK(error_of([&] { load_dape(*ram, dape); }) == "LoRA's weights lack '" + key + "'");
  CHECK(error_of([&] {
          ram->embed(at::zeros({1, 3, 32, 48}));
        }) == "this Swin takes images [N,3,32,32], not [1,3,32,48]");
  RamConfig config = tiny_ram_config();
  config.swin.window = 3;
  CHECK_THROWS_AS(Ram{config}, Error);
  config = tiny_ram_config();
  config.head.heads = 3;
  CHECK_THROWS_AS(Ram{config}, Error);
}
