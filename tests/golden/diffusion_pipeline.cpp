// SeeSR's whole sampler with tiny networks: from the picture that it is shown to the picture that it makes.
// Tolerances are each case's own. See ../shared/golden/seesr/README.md.

#include <fmt/format.h>

#include "case.h"
#include "diffusion/seesr_networks.h"
#include "nets/fill_module.h"
#include "nets/sd_text_encoder.h"

namespace golden {
namespace {

using Json = nlohmann::json;

void compare(const Case& recorded, Report& report, const std::string& name, const Tensor& actual) {
  report.compare(name, actual, recorded.out(name), recorded.info().at("tol").at(name).get<double>());
}

/// What the recorded run's listeners heard, of ours.
struct Run {
  std::vector<Tensor> inputs, outputs;  ///< of the U-Net, in order
  Tensor decoded, image;
  std::vector<sr::SeesrStep> steps;
};

class Pipeline {
 public:
  explicit Pipeline(const Case& recorded) : recorded_(recorded), parameters_(recorded.parameters()) {
    const Json& config = recorded.config();
    model_ = {
        .unet = filled<sr::ConditionedUnet>("unet", sr::conditioned_unet_config(config.at("unet"))),
        .controlnet = filled<sr::ControlNet>("controlnet", sr::controlnet_config(config.at("controlnet"))),
        .vae = sr::make_autoencoder_kl(sr::autoencoder_kl_config(config.at("vae")), part("vae"))};
    const auto tiles = recorded.info().at("vae_tiles").get<std::vector<int64_t>>();
    if (tiles.empty()) return;
    vae_tiling_.encoder_size = tiles.at(0);
    vae_tiling_.decoder_size = tiles.at(1);
  }

  sr::SeesrOptions options() const {
    const Json& call = recorded_.info().at("call");
    sr::SeesrOptions options;
    options.steps = call.at("num_inference_steps");
    options.guidance = call.at("guidance_scale");
    if (call.at("start_point") == "noise") options.start = sr::SeesrOptions::Start::noise;
    options.start_steps = call.value("start_steps", options.start_steps);
    options.tiling = {.size = call.at("latent_tiled_size"), .overlap = call.at("latent_tiled_overlap")};
    return options;
  }

  /// Embeddings [1,77,features] of "prompt" or "negative".
  Tensor text(const std::string& which) const {
    const auto encoder = sr::make_sd_text_encoder(sr::sd_text_config(recorded_.config().at("text_encoder")),
                                                  part("text_encoder"));
    const auto tokens = recorded_.info().at("input_ids").at(which).get<std::vector<int64_t>>();
    return encoder->forward(torch::tensor(tokens).unsqueeze(0));
  }

  sr::SeesrConditions conditions() const {
    std::vector<Tensor> texts;
    if (options().guided()) texts.push_back(text("negative"));
    texts.push_back(text("prompt"));
    return {.text = at::cat(texts),
            .image_tokens = recorded_.in("ram_embeds"),
            .strength = recorded_.info().at("call").at("conditioning_scale")};
  }

  /// [1,3,H,W] in [0,1].
  Tensor picture() const {
    return recorded_.in("image").permute({2, 0, 1}).unsqueeze(0).to(at::kFloat).div(255).contiguous();
  }

  sr::DiagonalGaussian encoded() const {
    return sr::encode_tiled(*model_.vae, picture() * 2 - 1, vae_tiling_);
  }

  Run run(const sr::SeesrConditions& conditions) const {
    Run run;
    const sr::SeesrSampler sampler(sr::DdpmScheduler(sr::ddpm_config(recorded_.config().at("scheduler"))),
                                   options());
    const sr::NoiseSource noise = [this](const std::string& purpose, at::IntArrayRef /*shape*/) {
      return recorded_.in("noise." + purpose).narrow(0, 0, 1);
    };
    sr::SeesrHooks hooks;
    hooks.stepped = [&run](const sr::SeesrStep& step) { run.steps.push_back(step); };
    run.image = sampler.run(picture(), listened(conditions, run), noise, hooks);
    return run;
  }

  const sr::SeesrModel& model() const { return model_; }

 private:
  /// The parameters of one network, under its own names.
  StateDict part(const std::string& name) const { return below(parameters_, name + "."); }

  template <class Network, class Config>
  std::shared_ptr<Network> filled(const std::string& name, const Config& config) const {
    auto network = std::make_shared<Network>(config);
    sr::fill_module(*network, part(name));
    return network;
  }

  sr::SeesrNetworks listened(const sr::SeesrConditions& conditions, Run& run) const {
    sr::SeesrNetworks networks = sr::seesr_networks(model_, conditions, vae_tiling_);
    networks.decode = [&run, decode = networks.decode](const Tensor& latents) {
      return run.decoded = decode(latents);
    };
    networks.show = [&run, show = networks.show](const Tensor& picture) -> sr::NoisePrediction {
      return [&run, predict = show(picture)](const Tensor& latents, int64_t timestep) {
        run.inputs.push_back(latents);
        return run.outputs.emplace_back(predict(latents, timestep));
      };
    };
    return networks;
  }

  const Case& recorded_;
  StateDict parameters_;
  sr::SeesrModel model_;
  sr::TiledVaeOptions vae_tiling_;
};

void compare_text(const Case& recorded, Report& report, const Tensor& text) {
  const bool guided = recorded.has("out.negative_embeds");
  if (guided) compare(recorded, report, "negative_embeds", text.narrow(0, 0, 1));
  compare(recorded, report, "prompt_embeds", text.narrow(0, guided ? 1 : 0, 1));
}

/// The original encodes the picture once for each prompt, with other noise, and uses the first.
void compare_encoded(const Case& recorded, Report& report, const Pipeline& pipeline) {
  if (!recorded.has("out.lr_mean")) return;
  const sr::DiagonalGaussian encoded = pipeline.encoded();
  compare(recorded, report, "lr_mean", encoded.mean.expand_as(recorded.out("lr_mean")));
  compare(recorded, report, "lr_latents",
          encoded.sample(recorded.in("noise.vae")) * pipeline.model().vae->config().scale);
}

/// What the ControlNet added to the first prediction.
void compare_control(const Case& recorded, Report& report, const Pipeline& pipeline,
                     const sr::SeesrConditions& conditions, const Run& run) {
  const sr::ControlNet& controlnet = *pipeline.model().controlnet;
  const sr::UnetMaps added = controlnet.forward(run.inputs[0].expand({conditions.text.size(0), -1, -1, -1}),
                                                torch::tensor({run.steps[0].timestep}),
                                                controlnet.prepare(conditions.text, conditions.image_tokens),
                                                controlnet.embed(pipeline.picture()), conditions.strength);
  compare(recorded, report, "control_down0", added.skips[0]);
  compare(recorded, report, "control_mid0", added.middle);
}

void compare_tiles(const Case& recorded, Report& report, const sr::LatentTiles& tiles, const Run& run) {
  const size_t count = tiles.tiles().size();
  report.require("tiles in a step", recorded.info().at("tiles_per_step") == count);
  const auto first = [count](const std::vector<Tensor>& all) {
    return at::stack(std::vector<Tensor>(all.begin(), all.begin() + static_cast<int64_t>(count)));
  };
  // Tiles of the same latents mix to these.
  compare(recorded, report, "start_latents", tiles.stitched([&](size_t i) { return run.inputs[i]; }));
  if (!tiles.cut()) return;
  compare(recorded, report, "tile_inputs0", first(run.inputs));
  compare(recorded, report, "tile_outputs0", first(run.outputs));
  compare(recorded, report, "tile_weights",
          sr::latent_tile_weights(tiles.tile_width()).expand_as(recorded.out("tile_weights")));
}

void compare_steps(const Case& recorded, Report& report, const Run& run) {
  std::vector<int64_t> timesteps;
  for (const sr::SeesrStep& step : run.steps) {
    timesteps.push_back(step.timestep);
    compare(recorded, report, fmt::format("noise_pred{}", step.index), step.prediction);
    compare(recorded, report, fmt::format("latents{}", step.index), step.latents);
  }
  report.require("the timesteps", recorded.info().at("timesteps") == timesteps);
}

void run_pipeline(const Case& recorded, Report& report) {
  const at::NoGradGuard no_grad;
  const Pipeline pipeline(recorded);
  const sr::SeesrConditions conditions = pipeline.conditions();
  compare_text(recorded, report, conditions.text);
  compare_encoded(recorded, report, pipeline);
  const Run run = pipeline.run(conditions);
  const Tensor start = recorded.out("start_latents");
  const sr::LatentTiles tiles(start.size(2), start.size(3), pipeline.options().tiling);
  compare_tiles(recorded, report, tiles, run);
  if (!tiles.cut()) {
    compare_control(recorded, report, pipeline, conditions, run);
    for (size_t i = 0; i < run.outputs.size(); ++i)
      compare(recorded, report, fmt::format("unet{}", i), run.outputs[i]);
  }
  compare_steps(recorded, report, run);
  compare(recorded, report, "decoded", run.decoded);
  const Tensor image = (run.image[0] * 255).round().permute({1, 2, 0});
  report.compare_integers("image", image, recorded.out("image"), 1, 1e-3);
}

}  // namespace

void add_diffusion_pipeline_handlers(Handlers& handlers) { handlers["SeeSRPipeline"] = run_pipeline; }

}  // namespace golden
