// SeeSR's U-Net and ControlNet, where recorded cases don't reach: key lists of the full sizes,
// configurations, precisions, gradients, the start of training.

#include <ATen/CPUGeneratorImpl.h>
#include <map>
#include <nlohmann/json.hpp>

#include "nets/controlnet.h"
#include "nets/fill_module.h"
#include "nets/recomputed.h"
#include "nets_keys.h"

using namespace sr;
using namespace sr::testing;

namespace {

using Json = nlohmann::json;

/// tests/data/configs/NAME.json
Json config_file(const std::string& name) {
  std::ifstream file(fmt::format("{}/configs/{}.json", SR_TEST_DATA, name));
  REQUIRE(file);
  return Json::parse(file);
}

double distance(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

Tensor drawn(at::IntArrayRef shape, std::uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed));
}

/// SeeSR's, of two levels, with transformers at the first.
ConditionedUnetConfig tiny_unet_config() {
  return {.encoder = {.channels = {8, 16},
                      .heads = {2, 4},
                      .attends = {true, false},
                      .layers = 1,
                      .text_features = 12,
                      .image_features = 20,
                      .groups = 4,
                      .linear_projection = true},
          .up_attends = {false, true}};
}

Tensor text() { return drawn({2, 5, 12}, 1); }
Tensor image_tokens() { return drawn({2, 7, 20}, 2); }
Tensor latents() { return drawn({2, 4, 6, 5}, 3); }
Tensor pictures() { return drawn({2, 3, 48, 40}, 4).sigmoid(); }
Tensor timesteps() { return at::tensor({900, 20}); }

std::shared_ptr<ConditionedUnet> tiny_unet() {
  auto unet = std::make_shared<ConditionedUnet>(tiny_unet_config());
  randomise(*unet);
  return unet;
}

Tensor answer(const ConditionedUnet& unet, const UnetMaps& added = {}) {
  return unet.forward(latents(), timesteps(), unet.prepare(text(), image_tokens()), added);
}

/// Gradients of the squared answer, by name.
std::map<std::string, Tensor> gradients(ConditionedUnet& unet, bool recomputing) {
  unet.zero_grad();
  unet.set_recomputing(recomputing);
  answer(unet).square().mean().backward();
  std::map<std::string, Tensor> found;
  for (const auto& parameter : unet.named_parameters()) {
    if (parameter->grad().defined()) found[parameter.key()] = parameter->grad().clone();
  }
  return found;
}

/// None of them is zero.
void check_same(const std::map<std::string, Tensor>& gradients,
                const std::map<std::string, Tensor>& expected) {
  CHECK(gradients.size() == expected.size());
  for (const auto& [key, gradient] : expected) {
    CAPTURE(key);
    const double largest = gradient.abs().max().item<double>();
    CHECK(largest > 0);
    CHECK(distance(gradients.at(key), gradient) <=
          1e-4 * largest);  // attention rounds otherwise without gradients
  }
}

// --- key lists -------------------------------------------------------------------------------------

constexpr int64_t narrowing = 10;

/// The full size's channels, 320, 640 and 1280, and all that follows from them, a tenth as wide.
Json narrow(Json config) {
  for (auto& channels : config["block_out_channels"]) channels = channels.get<int64_t>() / narrowing;
  config["attention_head_dim"] = 4;
  return config;
}

std::map<std::string, std::vector<int64_t>> shapes(const StateDict& weights) {
  std::map<std::string, std::vector<int64_t>> found;
  for (const auto& [key, tensor] : weights) found[key] = tensor.sizes().vec();
  return found;
}

std::map<std::string, std::vector<int64_t>> narrow_shapes(const std::string& name) {
  auto found = shapes(key_list(name));
  for (auto& [key, shape] : found) {
    for (int64_t& side : shape) side = side % 320 == 0 ? side / narrowing : side;
  }
  return found;
}

}  // namespace

TEST_CASE("diffusion U-Net: names and shapes are those of the official files") {
  for (const char* name : {"sd2-base_unet", "seesr_unet"}) {
    CAPTURE(name);
    const ConditionedUnet unet(conditioned_unet_config(narrow(config_file(name))));
    CHECK((shapes(tensors_of(unet)) == narrow_shapes(name)));
  }
  const ControlNet controlnet(controlnet_config(narrow(config_file("seesr_controlnet"))));
  CHECK((shapes(tensors_of(controlnet)) == narrow_shapes("seesr_controlnet")));
}

TEST_CASE("diffusion U-Net: configurations") {
  const auto seesr = conditioned_unet_config(config_file("seesr_unet"));
  CHECK(seesr.encoder.heads == std::vector<int64_t>{5, 10, 20, 20});
  CHECK(seesr.encoder.image_features == 512);
  CHECK(conditioned_unet_config(config_file("sd2-base_unet")).encoder.image_features == 0);
  CHECK((controlnet_config(config_file("seesr_controlnet")).encoder == seesr.encoder));
  CHECK((conditioned_unet_config(Json::object()) == ConditionedUnetConfig{}));
  CHECK((controlnet_config(Json::object()) == ControlNetConfig{}));
  // as newer versions write what is left out
  CHECK_NOTHROW(conditioned_unet_config({{"dropout", 0.0}, {"upcast_attention", nullptr}}));
}

TEST_CASE("diffusion U-Net: a configuration that is not built here names its key and value") {
  const auto complaint = [](const char* key, const Json& value) -> std::string {
    Json json = config_file("seesr_unet");
    json[key] = value;
    try {
      conditioned_unet_config(json);
    } catch (const Error& error) {
      return error.what();
    }
    return "none";
  };
  CHECK(complaint("act_fn", "gelu") == "act_fn = \"gelu\", which is not built here");
  CHECK(complaint("upcast_attention", true) == "upcast_attention = true, which is not built here");
  CHECK(complaint("num_attention_heads", 8) == "num_attention_heads = 8, which is not built here");
  CHECK(complaint("from_the_future", 1) == "from_the_future = 1, which is not built here");
  CHECK(complaint("norm_num_groups", nullptr) == "norm_num_groups = null, which cannot be read");
  CHECK(complaint("attention_head_dim", {5, 10}) ==
        "attention_head_dim = [5,10], which are 2 values for 4 levels");
  CHECK(complaint("_class_name", "ControlNetModel") ==
        "_class_name = \"ControlNetModel\", but only \"UNet2DConditionModel\" is built here");
  CHECK(complaint("up_block_types", {"UpBlock2D", "UpBlock2D", "UpBlock2D", "AttnUpBlock2D"}) ==
        "up_block_types = \"AttnUpBlock2D\", which is not built here");
  CHECK(complaint("from_the_future", Json::parse("[[1]]")) ==
        "from_the_future = ..., which is not built here");
  CHECK(complaint("attention_head_dim", 7) == "320 channels are not shared out among 7");
}

TEST_CASE("diffusion U-Net: conditions of one item serve a batch") {
  const at::NoGradGuard no_grad;
  const auto unet = tiny_unet();
  const auto first = [](const Tensor& of) { return of.slice(0, 0, 1); };
  const auto shared = unet->prepare(first(text()), first(image_tokens()));
  const auto copied =
      unet->prepare(first(text()).expand({2, -1, -1}), first(image_tokens()).expand({2, -1, -1}));
  CHECK(distance(unet->forward(latents(), timesteps(), shared),
                 unet->forward(latents(), timesteps(), copied)) < 1e-6);
  // and what each is told matters
  CHECK(distance(unet->forward(latents(), timesteps(), shared), answer(*unet)) > 1e-3);
}

TEST_CASE("diffusion U-Net: bfloat16 is near float32 and answers in it") {
  const at::NoGradGuard no_grad;
  const auto unet = tiny_unet();
  const auto controlnet = std::make_shared<ControlNet>(ControlNetConfig{.encoder = unet->config().encoder});
  randomise(*controlnet);
  const auto both = [&] {
    const auto conditions = controlnet->prepare(text(), image_tokens());
    return answer(
        *unet, controlnet->forward(latents(), timesteps(), conditions, controlnet->embed(pictures()), 0.5));
  };
  const Tensor precise = both();
  set_precision(*unet, at::kBFloat16);
  set_precision(*controlnet, at::kBFloat16);
  const Tensor coarse = both();
  CHECK((coarse.scalar_type() == at::kFloat));
  CHECK(distance(coarse, precise) > 0);
  CHECK(distance(coarse, precise) < 0.03 * precise.abs().max().item<double>());
}

TEST_CASE("diffusion U-Net: what SeeSR trains gets gradients, recomputed or not") {
  const auto unet = tiny_unet();
  int64_t trained = 0;
  for (const auto& parameter : unet->named_parameters()) {
    trained += is_image_attention(parameter.key()) ? 1 : 0;
    parameter->requires_grad_(is_image_attention(parameter.key()));
  }
  const auto plain = gradients(*unet, false), recomputed = gradients(*unet, true);
  CHECK(static_cast<int64_t>(plain.size()) == trained);
  check_same(recomputed, plain);
}

TEST_CASE("diffusion U-Net: all parameters get the gradients of a plain pass where layers are recomputed") {
  const auto unet = tiny_unet();
  const auto plain = gradients(*unet, false), recomputed = gradients(*unet, true);
  CHECK(plain.size() == unet->parameters().size());
  check_same(recomputed, plain);
}

TEST_CASE("recomputed: parameters within learn though no input does") {
  Linear layer(3, 2);
  const Tensor input = drawn({4, 3}, 1);
  recomputed([&](const Tensor& of) { return layer.forward(of); }, input).sum().backward();
  CHECK(distance(layer.weight.grad(), input.sum(0).expand({2, 3})) < 1e-5);
  CHECK_FALSE(input.requires_grad());
}

TEST_CASE("ControlNet: training begins as a copy of the U-Net that adds nothing") {
  const auto unet = tiny_unet();
  const auto controlnet = controlnet_of(*unet, at::make_generator<at::CPUGeneratorImpl>(5));
  const StateDict from = tensors_of(*unet), begun = tensors_of(*controlnet);
  for (const auto& [key, tensor] : begun) {
    CAPTURE(key);
    const bool drawn = key.starts_with("controlnet_cond_embedding.") &&
                       !key.starts_with("controlnet_cond_embedding.conv_out");
    if (key.starts_with("controlnet_")) {
      CHECK(tensor.any().item<bool>() == drawn);
    } else {
      CHECK(tensor.equal(from.at(key)));
    }
  }
  CHECK(begun.count("down_blocks.0.image_attentions.0.norm.weight") == 1);
  const Tensor embedded = controlnet->embed(pictures());
  const auto conditions = controlnet->prepare(text(), image_tokens());
  const auto added = controlnet->forward(latents(), timesteps(), conditions, embedded);
  CHECK(answer(*unet, added).equal(answer(*unet)));
  answer(*unet, added).square().mean().backward();
  CHECK(controlnet->named_parameters()["controlnet_down_blocks.0.weight"].grad().any().item<bool>());
}

TEST_CASE("ControlNet: one of another build is an error") {
  auto config = tiny_unet_config().encoder;
  config.layers = 2;
  const ControlNet controlnet({.encoder = config});
  const auto added = controlnet.forward(latents(), timesteps(), controlnet.prepare(text(), image_tokens()),
                                        controlnet.embed(pictures()));
  CHECK_THROWS_WITH_AS(answer(*tiny_unet(), added),
                       "the ControlNet answers with 6 maps, and the U-Net takes 4", Error);
}
