// Whole steps of SRGAN's and ESRGAN's training, as BasicSR's optimize_parameters takes them: what it logs,
// and all weights, averages and buffers after the last.

#include <fmt/format.h>

#include "case.h"
#include "core/error.h"
#include "losses.h"
#include "nets/discriminator.h"
#include "nets/fill_module.h"
#include "nets/rrdbnet.h"
#include "training/optimiser.h"
#include "training/pixel_loss.h"
#include "training/relativistic_loss.h"

namespace golden {
namespace {

using Json = nlohmann::json;
using Target = sr::GanLoss::Target;

sr::RRDBNetConfig generator_config(const Json& json) {
  auto config = sr::RRDBNetConfig::basicsr(json.at("scale"));
  config.features = json.at("num_feat");
  config.blocks = json.at("num_block");
  config.growth = json.at("num_grow_ch");
  return config;
}

sr::DiscriminatorConfig discriminator_config(const Json& json) {
  using Kind = sr::DiscriminatorConfig::Kind;
  if (json.at("type") == "UNetDiscriminatorSN") {
    return {.kind = Kind::unet,
            .in_channels = json.at("num_in_ch"),
            .width = json.at("num_feat"),
            .skips = json.at("skip_connection")};
  }
  if (json.at("type") != "NLayerDiscriminator") throw sr::Error("unknown discriminator");
  return {.kind = Kind::nlayer,
          .in_channels = json.at("input_nc"),
          .width = json.at("ndf"),
          .layers = json.at("n_layers")};
}

sr::AdamConfig adam_config(const Json& json) {
  return {.beta1 = json.at("betas").at(0),
          .beta2 = json.at("betas").at(1),
          .weight_decay = json.at("weight_decay")};
}

sr::NamedParameters made_trainable(torch::nn::Module& network) {
  for (auto& parameter : network.parameters()) parameter.requires_grad_();
  return sr::trained_parameters(network);
}

class Trainer {
 public:
  using Log = std::map<std::string, Tensor>;

  explicit Trainer(const Case& recorded)
      : config_(recorded.config()),
        relativistic_(config_.at("trainer") == "esrgan"),
        generator_(generator_config(config_.at("network_g"))),
        discriminator_(sr::make_discriminator(discriminator_config(config_.at("network_d")))),
        perceptual_(perceptual_config(config_.at("perceptual_opt")), below(recorded.parameters(), "vgg.")),
        gan_{.gan = gan_loss(config_.at("gan_opt"))} {
    sr::copy_weights(generator_, below(recorded.parameters(), "g."));
    sr::copy_weights(*discriminator_, below(recorded.parameters(), "d."));
    generator_.train();
    discriminator_->train();
    of_generator_ = made_trainable(generator_);
    of_discriminator_ = made_trainable(*discriminator_);
    ema_.emplace(of_generator_, config_.at("ema_decay"));
    adam_g_.emplace(of_generator_, adam_config(config_.at("optim_g")));
    adam_d_.emplace(of_discriminator_, adam_config(config_.at("optim_d")));
  }

  Log step(const Tensor& input, const Tensor& target) {
    Log log;
    const Tensor output = generator_.forward(input);
    train_generator(output, target, log);
    train_discriminator(output.detach(), target, log);
    return log;
  }

  /// Everything that a checkpoint would have, as `after.` names it.
  Log state() const {
    Log found;
    for (const auto& [name, tensor] : of_generator_) found["g." + name] = tensor;
    for (const auto& [name, tensor] : of_discriminator_) found["d." + name] = tensor;
    for (const auto& buffer : discriminator_->named_buffers()) found["d." + buffer.key()] = buffer.value();
    for (const auto& [name, tensor] : ema_->state()) found["ema." + name] = tensor;
    return found;
  }

 private:
  Tensor judged(const Tensor& images) { return discriminator_->forward(images, {}); }

  void train_generator(const Tensor& output, const Tensor& target, Log& log) {
    log["l_g_pix"] = sr::PixelLoss{.weight = config_.at("pixel_opt").at("loss_weight")}(output, target);
    log["l_g_percep"] = perceptual_(output, target).sum();
    if (relativistic_) {
      const Tensor real = judged(target).detach();
      log["l_g_gan"] = gan_.generator(real, judged(output));
    } else {
      log["l_g_gan"] = gan_.gan.generator(judged(output));
    }
    (log["l_g_pix"] + log["l_g_percep"] + log["l_g_gan"]).backward();
    adam_g_->step(config_.at("optim_g").at("lr"), &*ema_);
    sr::drop_gradients(of_generator_);
    sr::drop_gradients(of_discriminator_);
  }

  void train_discriminator(const Tensor& output, const Tensor& target, Log& log) {
    const Tensor fake_before = relativistic_ ? judged(output).detach() : Tensor();
    const Tensor real = judged(target);
    log["l_d_real"] = relativistic_ ? gan_.discriminator_real(real, fake_before)
                                    : gan_.gan.discriminator(real, Target::real);
    log["l_d_real"].backward();
    const Tensor fake = judged(output);
    log["l_d_fake"] =
        relativistic_ ? gan_.discriminator_fake(fake, real) : gan_.gan.discriminator(fake, Target::fake);
    log["l_d_fake"].backward();
    adam_d_->step(config_.at("optim_d").at("lr"));
    sr::drop_gradients(of_discriminator_);
    log["out_d_real"] = real.mean();
    log["out_d_fake"] = fake.mean();
  }

  Json config_;
  bool relativistic_;
  sr::RRDBNet generator_;
  std::shared_ptr<sr::Discriminator> discriminator_;
  sr::PerceptualLoss perceptual_;
  sr::RelativisticLoss gan_;
  sr::NamedParameters of_generator_, of_discriminator_;
  std::optional<sr::Ema> ema_;
  std::optional<sr::Adam> adam_g_, adam_d_;
};

void run_steps(const Case& recorded, Report& report) {
  Trainer trainer(recorded);
  const auto compare_all = [&](const std::string& prefix, const Trainer::Log& actual) {
    for (const std::string& output : recorded.outputs()) {
      if (!output.starts_with(prefix)) continue;
      const auto found = actual.find(output.substr(prefix.size()));
      if (found == actual.end()) throw sr::Error(fmt::format("our training has no {}", output));
      const Tensor expected = recorded.out(output);
      const double tolerance =
          expected.is_floating_point() ? recorded.info().at("tol").at(output).get<double>() : 0;
      report.compare(output, found->second, expected, tolerance);
    }
  };
  for (int step = 0; step < recorded.info().at("steps").get<int>(); ++step) {
    const auto log =
        trainer.step(recorded.in(fmt::format("lq{}", step)), recorded.in(fmt::format("gt{}", step)));
    compare_all(fmt::format("step{}.", step), log);
  }
  compare_all("after.", trainer.state());
}

}  // namespace

void add_trainstep_handlers(Handlers& handlers) { handlers["TrainStep"] = run_steps; }

}  // namespace golden
