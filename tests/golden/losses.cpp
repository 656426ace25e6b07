// Losses of training, VGG's features for them, and their gradients. Tolerances are each case's own.

#include "losses.h"

#include <functional>
#include <map>
#include <string>

#include "case.h"
#include "training/ldl_loss.h"
#include "training/pixel_loss.h"
#include "training/relativistic_loss.h"

namespace golden {
namespace {

using Json = nlohmann::json;

void compare(const Case& recorded, Report& report, const std::string& name, const Tensor& actual) {
  const double tolerance = recorded.info().at("tol").at(name).get<double>();
  report.compare(name, actual, recorded.out(name), tolerance);
}

/// An input that a gradient is asked for.
Tensor followed(const Case& recorded, const std::string& name) {
  return recorded.in(name).clone().requires_grad_();
}

/// The loss of input `of` as `name`, and the gradient of its sum as `gradient_name`.
void compare_loss(const Case& recorded, Report& report, const std::string& of, const std::string& name,
                  const std::string& gradient_name, const std::function<Tensor(const Tensor&)>& loss) {
  const Tensor input = followed(recorded, of), value = loss(input);
  compare(recorded, report, name, value.detach());
  value.sum().backward();
  compare(recorded, report, gradient_name, input.grad());
}

// --- pixels ----------------------------------------------------------------------------------------

void run_pixel(const Case& recorded, Report& report) {
  using Criterion = sr::PixelLoss::Criterion;
  const std::map<std::string, Criterion> criteria{
      {"l1", Criterion::l1}, {"mse", Criterion::mse}, {"charbonnier", Criterion::charbonnier}};
  const std::map<std::string, sr::Reduction> reductions{
      {"none", sr::Reduction::none}, {"mean", sr::Reduction::mean}, {"sum", sr::Reduction::sum}};
  const double weight = recorded.config().at("loss_weight"), epsilon = recorded.config().at("eps");
  const Tensor target = recorded.in("target");
  for (const auto& [reduction_name, reduction] : reductions) {
    for (const std::string weighting : {"", ".w1", ".wc"}) {
      const Tensor map = weighting.empty() ? Tensor() : recorded.in(weighting.substr(1));
      const std::string suffix = "." + reduction_name + weighting;
      const auto compare_one = [&](const std::string& loss_name,
                                   const std::function<Tensor(const Tensor&)>& loss) {
        const std::string name = loss_name + suffix;
        compare_loss(recorded, report, "pred", name, name + ".grad", loss);
      };
      for (const auto& [criterion_name, criterion] : criteria) {
        const sr::PixelLoss loss{criterion, weight, reduction, epsilon};
        compare_one(criterion_name, [&](const Tensor& x) { return loss(x, target, map); });
      }
      if (!recorded.has("out.tv" + suffix)) continue;
      const sr::TotalVariationLoss variation{weight, reduction};
      compare_one("tv", [&](const Tensor& x) { return variation(x, map); });
    }
  }
}

// --- adversarial -----------------------------------------------------------------------------------

sr::GanLoss::Type gan_type(const std::string& name) {
  using Type = sr::GanLoss::Type;
  return std::map<std::string, Type>{{"vanilla", Type::vanilla},
                                     {"lsgan", Type::lsgan},
                                     {"wgan", Type::wgan},
                                     {"wgan_softplus", Type::wgan_softplus},
                                     {"hinge", Type::hinge}}
      .at(name);
}

void run_gan(const Case& recorded, Report& report) {
  using Target = sr::GanLoss::Target;
  const Json& config = recorded.config();
  for (const std::string type : config.at("gan_types")) {
    Json settings = config;
    settings["gan_type"] = type;
    const sr::GanLoss loss = gan_loss(settings);
    for (const Target target : {Target::real, Target::fake}) {
      const std::string name = type + (target == Target::real ? ".real" : ".fake");
      compare_loss(recorded, report, "pred", name + ".disc", name + ".disc.grad",
                   [&](const Tensor& x) { return loss.discriminator(x, target); });
      if (!recorded.has("out." + name + ".gen")) continue;  // a hinge's generator has but one target
      compare_loss(recorded, report, "pred", name + ".gen", name + ".gen.grad",
                   [&](const Tensor& x) { return loss.generator(x, target); });
    }
  }
}

void run_relativistic(const Case& recorded, Report& report) {
  using Mean = sr::RelativisticLoss::Mean;
  const Tensor real = recorded.in("real"), fake = recorded.in("fake");
  sr::RelativisticLoss loss{.gan = gan_loss(recorded.config())};
  for (const auto& [code, mean] :
       {std::pair{"basicsr.", Mean::everything}, std::pair{"kair.", Mean::batch}}) {
    loss.mean = mean;
    const std::string prefix = code;
    compare_loss(recorded, report, "fake", prefix + "gen", prefix + "gen.grad_fake",
                 [&](const Tensor& x) { return loss.generator(real, x); });
    compare_loss(recorded, report, "real", prefix + "disc_real", prefix + "disc_real.grad_real",
                 [&](const Tensor& x) { return loss.discriminator_real(x, fake); });
    compare_loss(recorded, report, "fake", prefix + "disc_fake", prefix + "disc_fake.grad_fake",
                 [&](const Tensor& x) { return loss.discriminator_fake(x, real); });
  }
}

// --- features --------------------------------------------------------------------------------------

sr::VggFeaturesConfig vgg_config(const Json& json) {
  sr::VggFeaturesConfig config;
  config.depth = json.at("vgg_type") == "vgg16" ? sr::VggDepth::vgg16 : sr::VggDepth::vgg19;
  config.input_norm = json.at("use_input_norm");
  config.range_norm = json.value("range_norm", json.value("norm_img", false));
  config.pooling_stride = json.value("pooling_stride", 2);
  if (json.value("remove_pooling", false)) config.pooling_stride.reset();
  return config;
}

void run_vgg(const Case& recorded, Report& report) {
  auto config = vgg_config(recorded.config());
  config.layers = recorded.config().at("layers").get<std::vector<std::string>>();
  const sr::VggFeatures vgg(config, recorded.parameters());
  const Tensor input = followed(recorded, "input");
  const std::vector<Tensor> features = vgg(input);
  Tensor sum = at::zeros({});
  for (size_t i = 0; i < features.size(); ++i) {
    compare(recorded, report, "feat." + config.layers[i], features[i].detach());
    sum = sum + features[i].mean();
  }
  sum.backward();
  compare(recorded, report, "grad_input", input.grad());
}

void run_perceptual(const Case& recorded, Report& report) {
  const sr::PerceptualLoss loss(perceptual_config(recorded.config()), recorded.parameters());
  const Tensor prediction = followed(recorded, "pred");
  const auto terms = loss(prediction, recorded.in("target"));
  compare(recorded, report, "perceptual", terms.features.detach());
  report.require("style where it is weighted", terms.style.defined() == recorded.has("out.style"));
  if (terms.style.defined()) compare(recorded, report, "style", terms.style.detach());
  terms.sum().backward();
  compare(recorded, report, "grad", prediction.grad());
}

// --- artifacts -------------------------------------------------------------------------------------

void run_ldl(const Case& recorded, Report& report) {
  const sr::LdlLoss loss{.weight = recorded.config().at("loss_weight"),
                         .window = recorded.config().at("ksize")};
  const Tensor average = recorded.in("ema"), target = recorded.in("gt"), output = recorded.in("output");
  compare(recorded, report, "local_weights",
          sr::local_variance((target - output).abs().sum(1, /*keepdim=*/true), loss.window));
  compare(recorded, report, "artifact_map", sr::artifact_map(output, average, target, loss.window));
  compare_loss(recorded, report, "output", "loss", "grad",
               [&](const Tensor& x) { return loss(x, average, target); });
  recorded.leave("grad_if_detached");
}

}  // namespace

sr::PerceptualLossConfig perceptual_config(const Json& json) {
  using Criterion = sr::PerceptualLossConfig::Criterion;
  sr::PerceptualLossConfig config;
  config.vgg = vgg_config(json);
  for (const auto& [layer, weight] : json.at("layer_weights").items()) {
    config.vgg.layers.push_back(layer);
    config.layer_weights.push_back(weight);
  }
  config.weight = json.at("perceptual_weight");
  config.style_weight = json.at("style_weight");
  const std::string criterion = json.at("criterion");
  if (criterion != "l1") config.criterion = criterion == "fro" ? Criterion::fro : Criterion::l2;
  return config;
}

sr::GanLoss gan_loss(const Json& json) {
  return {.type = gan_type(json.at("gan_type")),
          .real_label = json.value("real_label_val", 1.0),
          .fake_label = json.value("fake_label_val", 0.0),
          .weight = json.at("loss_weight")};
}

void add_loss_handlers(Handlers& handlers) {
  handlers["PixelLoss"] = run_pixel;
  handlers["GANLoss"] = run_gan;
  handlers["RelativisticGAN"] = run_relativistic;
  handlers["VGGFeatures"] = run_vgg;
  handlers["PerceptualLoss"] = run_perceptual;
  handlers["PerceptualLossSeD"] = run_perceptual;
  handlers["LDL"] = run_ldl;
}

}  // namespace golden
