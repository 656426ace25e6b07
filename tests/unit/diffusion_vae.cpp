// Latent diffusion's autoencoder, where recorded cases don't reach: names, configurations, what bounds
// memory.

#include <nlohmann/json.hpp>

#include "diffusion/tiled_vae.h"
#include "nets/fill_module.h"
#include "nets/network.h"
#include "nets_keys.h"
#include "weights_testing.h"

using namespace sr;
using namespace sr::testing;

namespace {

/// Factor 4, one layer a level.
AutoencoderKlConfig tiny_config() { return {.channels = {8, 8, 16}, .layers = 1, .groups = 4}; }

std::shared_ptr<AutoencoderKl> tiny_autoencoder() {
  AutoencoderKl drawn(tiny_config());
  randomise(drawn);
  return make_autoencoder_kl(tiny_config(), tensors_of(drawn));
}

/// A picture of changing contrast, so that tiles' statistics differ.
Tensor picture(int64_t height, int64_t width, int64_t channels = 3) {
  at::manual_seed(7);
  return at::randn({1, channels, height, width}) * at::linspace(0.1, 1, width);
}

double distance(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

nlohmann::json official_json() {
  return nlohmann::json::parse(R"({
    "_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D",
                         "DownEncoderBlock2D"],
    "in_channels": 3, "latent_channels": 4, "layers_per_block": 2, "norm_num_groups": 32,
    "out_channels": 3, "sample_size": 768,
    "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]
  })");
}

std::string refusal(const std::string& key, const nlohmann::json& value) {
  auto json = official_json();
  json[key] = value;
  return error_of([&] { autoencoder_kl_config(json); });
}

}  // namespace

TEST_CASE("autoencoder: published files are renamed to this code's names") {
  // As deep as the official network, and narrow.
  const AutoencoderKl narrow({.channels = {4, 8, 16, 16}, .groups = 4});
  const auto published = key_list("sd2-base_vae_published_names");
  CHECK(names(autoencoder_kl_weights(published)) == names(tensors_of(narrow)));
  CHECK(published.count("encoder.mid_block.attentions.0.proj_attn.weight") == 1);
}

TEST_CASE("autoencoder: attention stored as 1x1 convolutions") {
  StateDict weights = tensors_of(*tiny_autoencoder());
  const std::string attention = "decoder.mid_block.attentions.0.";
  for (const auto& [old, current] : {std::pair{"query", "to_q"}, std::pair{"proj_attn", "to_out.0"}}) {
    auto entry = weights.extract(fmt::format("{}{}.weight", attention, current));
    weights[fmt::format("{}{}.weight", attention, old)] = entry.mapped().unsqueeze(-1).unsqueeze(-1);
  }
  const Tensor latents = picture(6, 5, 4);
  const auto loaded = make_autoencoder_kl(tiny_config(), weights);
  CHECK(loaded->decode(latents).equal(tiny_autoencoder()->decode(latents)));
}

TEST_CASE("autoencoder: what config.json asks for is read, or refused by its name") {
  CHECK((autoencoder_kl_config(official_json()) == AutoencoderKlConfig{}));
  auto json = official_json();
  json["scaling_factor"] = 0.5;
  json["force_upcast"] = true;
  CHECK(autoencoder_kl_config(json).scale == 0.5);
  json.erase("layers_per_block");
  CHECK(error_of([&] { autoencoder_kl_config(json); }) == "layers_per_block is missing");
  CHECK(refusal("act_fn", "gelu") == "act_fn = \"gelu\", but only \"silu\" is built here");
  CHECK(refusal("latent_channels", "four") == "latent_channels = \"four\", which cannot be read");
  CHECK(refusal("norm_num_groups", 48) ==
        "block_out_channels = [128,256,512,512], which are not shared out "
        "among 48 groups");
  CHECK(refusal("in_channels", 0) == "in_channels = 0, which is not from 1 to 2147483647");
  CHECK(refusal("down_block_types", {"DownEncoderBlock2D"}) != "");
  CHECK(refusal("use_quant_conv", false) != "");
}

TEST_CASE("autoencoder: everything learns") {
  const auto vae = tiny_autoencoder();
  for (auto& parameter : vae->parameters()) parameter.requires_grad_(true);
  const auto gaussian = vae->encode(picture(17, 12));
  const Tensor images = vae->decode(gaussian.sample(at::ones_like(gaussian.mean)));
  images.square().mean().backward();
  for (const auto& parameter : vae->named_parameters()) {
    CAPTURE(parameter.key());
    REQUIRE(parameter.value().grad().defined());
    CHECK(parameter.value().grad().isfinite().all().item<bool>());
  }
  CHECK(vae->named_parameters()["encoder.conv_in.weight"].grad().abs().max().item<float>() > 0);
}

TEST_CASE("autoencoder: convolutions in bfloat16 leave the trunk float32") {
  const auto vae = tiny_autoencoder();
  const Tensor latents = picture(9, 30, 4), exact = vae->decode(latents);
  const Tensor tiled = decode_tiled(*vae, latents, {.decoder_size = 8});
  const double limit = 0.02 * exact.abs().max().item<double>();
  set_precision(*vae, at::kBFloat16);
  const Tensor coarse = vae->decode(latents, [](const VaeSteps& steps, const Tensor& input) {
    VaeState state{.map = input};
    for (const VaeStep& step : steps) {
      state = step.run(state);
      const Tensor& trunk = state.trunk.defined() ? state.trunk : state.map;
      CHECK((trunk.scalar_type() == at::kFloat));
    }
    return state.map;
  });
  CHECK_FALSE(coarse.equal(exact));
  CHECK(distance(coarse, exact) < limit);
  CHECK(distance(decode_tiled(*vae, latents, {.decoder_size = 8}), tiled) < limit);
}

TEST_CASE("group norm: by its own statistics it is itself") {
  const at::NoGradGuard no_grad;
  GroupNorm norm(4, 8, 1e-6);
  randomise(norm);
  const Tensor map = picture(5, 7, 8).repeat({2, 1, 1, 1}) + 3;
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    const Tensor laid = map.contiguous(format);
    CHECK(distance(norm.normed_by(norm.statistics(laid), laid), norm.normed(map, at::kFloat)) < 1e-5);
  }
}

TEST_CASE("VAE tiles: outputs make up the whole") {
  for (const auto& tiling : {encoder_tiling(64, 8), decoder_tiling(13, 8), decoder_tiling(5, 2)}) {
    for (const auto& size : {std::pair{20, 500}, std::pair{333, 129}, std::pair{97, 131}}) {
      const int64_t height = size.first, width = size.second;
      CAPTURE(height);
      CAPTURE(tiling.size);
      Tensor covered = at::zeros({1, 1, tiling.scaled(height), tiling.scaled(width)});
      for (const VaeTile& tile : vae_tiles(height, width, tiling)) {
        tile.output.of(covered) += 1;
        const Box within = tiling.within(tile);
        CHECK(within.top >= 0);
        CHECK(within.bottom <= tiling.scaled(tile.input.height()));
        CHECK(within.left >= 0);
        CHECK(within.right <= tiling.scaled(tile.input.width()));
      }
      CHECK(covered.eq(1).all().item<bool>());
    }
  }
  CHECK_THROWS_AS(encoder_tiling(100, 8), UsageError);
  CHECK_THROWS_AS(decoder_tiling(-1, 8), UsageError);
  CHECK_THROWS_AS(encoder_tiling(64, 64), Error);
}

TEST_CASE("tiled VAE: what a tile holds is the whole picture's") {
  const auto vae = tiny_autoencoder();
  const Tensor images = picture(64, 99), latents = picture(9, 24, 4);
  CHECK(encode_tiled(*vae, images, {.encoder_size = 36}).mean.equal(vae->encode(images).mean));
  CHECK(decode_tiled(*vae, latents, {.decoder_size = 2}).equal(vae->decode(latents)));
  CHECK(decode_tiled(*vae, picture(9, 90, 4), {.decoder_size = 0}).equal(vae->decode(picture(9, 90, 4))));
}

TEST_CASE("tiled VAE: less memory gives the same bits, and the whole work is told of") {
  const auto vae = tiny_autoencoder();
  const Tensor images = picture(83, 190), latents = picture(25, 60, 4);
  double done = 0;
  TiledVaeOptions options{
      .encoder_size = 32, .decoder_size = 16, .advance = [&done](double part) { done += part; }};
  const auto gaussian = encode_tiled(*vae, images, options);
  const Tensor decoded = decode_tiled(*vae, latents, options);
  CHECK(done == doctest::Approx(2));
  CHECK((gaussian.mean.sizes() == at::IntArrayRef{1, 4, 20, 47}));
  CHECK_FALSE(decoded.equal(vae->decode(latents)));
  // nothing, what fits at low resolution
  for (const int64_t most : {0, 400'000}) {
    options.most_held = most;
    CHECK(encode_tiled(*vae, images, options).mean.equal(gaussian.mean));
    CHECK(decode_tiled(*vae, latents, options).equal(decoded));
  }
}

TEST_CASE("tiled VAE: a flat and thin picture in fast mode") {
  const auto vae = tiny_autoencoder();
  const Tensor flat = at::full({1, 3, 20, 300}, 0.25);
  const auto gaussian = encode_tiled(*vae, flat, {.encoder_size = 32, .fast = true});
  CHECK(gaussian.mean.isfinite().all().item<bool>());
  CHECK(error_of([&] { vae->encode(flat.slice(2, 0, 3)); }) ==
        "the autoencoder takes pictures of 4x4 pixels and more, not 300x3");
}
