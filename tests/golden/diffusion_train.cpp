// A step of SeeSR's training: what goes in, the loss, gradients, parameters after the update. Tolerances are
// the case's own. See ../shared/golden/seesr/README.md.

#include <nlohmann/json.hpp>

#include "case.h"
#include "nets/fill_module.h"
#include "training/gradients.h"
#include "training/optimiser.h"
#include "training/seesr_loss.h"

namespace golden {
namespace {

using Json = nlohmann::json;

void compare(const Case& recorded, Report& report, const std::string& name, const Tensor& actual) {
  report.compare(name, actual, recorded.out(name), recorded.info().at("tol").at(name).get<double>());
}

/// Recorded pictures are uint8 N x H x W x 3.
Tensor pictures(const Case& recorded, const std::string& name) {
  return recorded.in(name).permute({0, 3, 1, 2}).to(at::kFloat).div(255).contiguous();
}

/// The networks, of which the ControlNet and the U-Net's `image_attentions` learn.
struct Learning {
  explicit Learning(const Case& recorded)
      : unet(sr::conditioned_unet_config(recorded.config().at("unet"))),
        controlnet(sr::controlnet_config(recorded.config().at("controlnet"))) {
    const StateDict weights = recorded.parameters();
    vae = sr::make_autoencoder_kl(sr::autoencoder_kl_config(recorded.config().at("vae")),
                                  below(weights, "vae."));
    fill("unet.", unet, weights, sr::is_image_attention);
    fill("controlnet.", controlnet, weights, [](const std::string&) { return true; });
  }

  sr::ConditionedUnet unet;
  sr::ControlNet controlnet;
  std::shared_ptr<sr::AutoencoderKl> vae;
  std::map<std::string, Tensor> trained;

 private:
  template <class Learns>
  void fill(const std::string& prefix, torch::nn::Module& network, const StateDict& weights,
            const Learns& learns) {
    sr::copy_weights(network, below(weights, prefix));
    for (const auto& [name, parameter] : sr::all_parameters(network)) {
      parameter.requires_grad_(learns(name));
      if (learns(name)) trained[prefix + name] = parameter;
    }
  }
};

/// In the order of the case.
sr::NamedParameters ordered(const Case& recorded, const Learning& learning) {
  sr::NamedParameters parameters;
  for (const auto& name : recorded.info().at("trainable").get<std::vector<std::string>>())
    parameters.emplace_back(name, learning.trained.at(name));
  return parameters;
}

void compare_gradients(const Case& recorded, Report& report, const sr::NamedParameters& parameters) {
  std::vector<Tensor> norms;
  for (const auto& [name, parameter] : parameters) {
    norms.push_back(parameter.grad().norm());
    if (recorded.has("out.grad." + name)) compare(recorded, report, "grad." + name, parameter.grad());
  }
  compare(recorded, report, "grad_norms", at::stack(norms));
}

void run_train_step(const Case& recorded, Report& report) {
  const Learning learning(recorded);
  const auto parameters = ordered(recorded, learning);
  report.require("what is trained", parameters.size() == learning.trained.size());
  const Tensor latents = sr::seesr_latents(
      *learning.vae, sr::seesr_moments(*learning.vae, pictures(recorded, "gt")), recorded.in("noise_vae"));
  const auto step =
      sr::seesr_forward(learning.unet, learning.controlnet,
                        sr::DdpmScheduler(sr::ddpm_config(recorded.config().at("scheduler"))), latents,
                        {.pictures = pictures(recorded, "lr"),
                         .text = recorded.in("encoder_hidden_states"),
                         .image_tokens = recorded.in("image_encoder_hidden_states")},
                        {.code = recorded.in("noise_vae"),
                         .added = recorded.in("noise"),
                         .timesteps = recorded.in("timesteps")});
  compare(recorded, report, "latents", latents);
  compare(recorded, report, "noisy_latents", step.noisy);
  compare(recorded, report, "model_pred", step.prediction);
  compare(recorded, report, "loss", step.loss());
  step.loss().backward();
  compare_gradients(recorded, report, parameters);
  const Json& settings = recorded.info().at("optimizer");
  sr::Adam adam(parameters, {.weight_decay = settings.at("weight_decay"), .decoupled = true});
  const double norm = sr::clip_gradient_norm(parameters, settings.at("max_grad_norm"));
  report.compare("grad_norm", norm, recorded.out("grad_norm").item<double>(),
                 recorded.info().at("tol").at("grad_norm"));
  adam.step(settings.at("lr"));
  for (const auto& [name, parameter] : parameters) {
    if (recorded.has("out.after." + name)) compare(recorded, report, "after." + name, parameter);
  }
}

}  // namespace

void add_diffusion_train_handlers(Handlers& handlers) { handlers["SeeSRTrainStep"] = run_train_step; }

}  // namespace golden
