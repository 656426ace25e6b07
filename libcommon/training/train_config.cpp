#include "training/train_config.h"

#include <fmt/format.h>

#include "core/error.h"

namespace sr {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// --- losses ------------------------------------------------------------------------------------------------

std::optional<PixelLoss> read_pixel(Settings table) {
  if (!table.there()) return std::nullopt;
  using Criterion = PixelLoss::Criterion;
  PixelLoss loss;
  loss.criterion = table.choice<Criterion>("kind", Criterion::l1,
                                           {{"l1", Criterion::l1},
                                            {"mse", Criterion::mse},
                                            {"charbonnier", Criterion::charbonnier},
                                            {"psnr", Criterion::psnr}});
  loss.weight = table.number("weight", 1);
  loss.epsilon = table.number("epsilon", loss.epsilon);
  table.done();
  return loss;
}

std::optional<PerceptualLossConfig> read_perceptual(Settings table, std::string& weights) {
  if (!table.there()) return std::nullopt;
  using Criterion = PerceptualLossConfig::Criterion;
  auto loss = PerceptualLossConfig::esrgan();
  weights = table.text("weights", weights);
  loss.vgg.depth = table.choice<VggDepth>("network", VggDepth::vgg19,
                                          {{"vgg16", VggDepth::vgg16}, {"vgg19", VggDepth::vgg19}});
  if (const auto layers = table.texts("layers"); !layers.empty()) loss.vgg.layers = layers;
  if (const auto shares = table.numbers("layer_weights"); !shares.empty()) loss.layer_weights = shares;
  loss.vgg.range_norm = table.flag("range_norm", false);
  loss.weight = table.number("weight", 1);
  loss.style_weight = table.number("style_weight", 0);
  loss.criterion = table.choice<Criterion>(
      "criterion", Criterion::l1, {{"l1", Criterion::l1}, {"l2", Criterion::l2}, {"fro", Criterion::fro}});
  if (loss.layer_weights.size() != loss.vgg.layers.size())
    table.refuse("layer_weights", "layers and their weights differ in number");
  table.done();
  return loss;
}

void read_gan(Settings table, LossConfig& loss) {
  if (!table.there()) return;
  using Type = GanLoss::Type;
  using Mean = RelativisticLoss::Mean;
  GanLoss gan;
  gan.type = table.choice<Type>("kind", Type::vanilla,
                                {{"vanilla", Type::vanilla},
                                 {"lsgan", Type::lsgan},
                                 {"wgan", Type::wgan},
                                 {"wgan-softplus", Type::wgan_softplus},
                                 {"hinge", Type::hinge}});
  gan.weight = table.number("weight", 0.01);
  gan.real_label = table.number("real_label", 1, -kInfinity);
  gan.fake_label = table.number("fake_label", 0, -kInfinity);
  loss.gan = gan;
  if (table.has("relativistic")) {
    loss.relativistic = table.choice<Mean>("relativistic", Mean::everything,
                                           {{"everything", Mean::everything}, {"batch", Mean::batch}});
  }
  table.done();
}

LossConfig read_losses(Settings table) {
  LossConfig loss;
  loss.pixel = read_pixel(table.table("pixel"));
  loss.perceptual = read_perceptual(table.table("perceptual"), loss.perceptual_weights);
  read_gan(table.table("gan"), loss);
  if (auto ldl = table.table("ldl"); ldl.there()) {
    loss.ldl = LdlLoss{ldl.number("weight", 1), ldl.integer("window", 7, 3, 99)};
    if (loss.ldl->window % 2 == 0) ldl.refuse("window", "an odd number is wanted here");
    ldl.done();
  }
  const auto weight = [&](const char* key) {
    return table.has(key) ? std::optional(table.number(key, 0)) : std::nullopt;
  };
  loss.feat_d = weight("feat_d");
  loss.tg_d = weight("tg_d");
  loss.clipiqa = weight("clipiqa");
  table.done();
  return loss;
}

// --- networks ----------------------------------------------------------------------------------------------

SemanticFusionConfig read_fusion(Settings table) {
  using Kind = SemanticFusionConfig::Kind;
  SemanticFusionConfig fusion;
  fusion.kind = table.choice<Kind>("kind", Kind::attention,
                                   {{"attention", Kind::attention},
                                    {"concatenation", Kind::concatenation},
                                    {"channel", Kind::channel},
                                    {"spatial", Kind::spatial}});
  fusion.heads = table.integer("heads", fusion.heads, 1, 1024);
  fusion.head_width = table.integer("head_width", fusion.head_width, 1);
  fusion.depth = table.integer("depth", fusion.depth, 1, 64);
  table.done();
  return fusion;
}

std::optional<DiscriminatorConfig> read_discriminator(Settings table, int crop, std::string& start) {
  if (!table.there()) return std::nullopt;
  using Kind = DiscriminatorConfig::Kind;
  using Norm = DiscriminatorConfig::PatchNorm;
  DiscriminatorConfig config;
  config.kind = table.choice<Kind>("kind", Kind::unet,
                                   {{"unet", Kind::unet},
                                    {"vgg", Kind::vgg},
                                    {"patchgan", Kind::patchgan},
                                    {"nlayer", Kind::nlayer},
                                    {"sed-p", Kind::sed_p},
                                    {"sed-u", Kind::sed_u},
                                    {"sed-v", Kind::sed_v}});
  config.width = table.integer("width", config.width, 1);
  config.skips = table.flag("skips", config.skips);
  config.layers = table.integer("layers", config.layers, 1, 16);
  config.norm = table.choice<Norm>("norm", config.norm,
                                   {{"spectral", Norm::spectral},
                                    {"batch", Norm::batch},
                                    {"instance", Norm::instance},
                                    {"batch-spectral", Norm::batch_spectral},
                                    {"none", Norm::none}});
  config.image_size = crop;
  config.fusion = read_fusion(table.table("fusion"));
  start = table.text("start", "");
  table.done();
  return config;
}

void read_semantics(Settings table, TrainConfig& config) {
  using Source = SemanticsConfig::Source;
  config.semantics.source =
      table.choice<Source>("source", Source::clip, {{"clip", Source::clip}, {"imagenet", Source::imagenet}});
  config.semantics.level = static_cast<int>(table.integer("level", config.semantics.level, 1, 4));
  const auto* weights = config.semantics.source == Source::clip ? "CLIP-RN50" : "resnet50";
  config.semantics_weights = table.text("weights", weights);
  config.semantics_train_mode = table.flag("train_mode", config.semantics_train_mode);
  table.done();
}

void read_sfd(Settings table, TrainConfig& config) {
  config.clip_weights = table.text("clip", config.clip_weights);
  config.sfd_start = table.text("start", "");
  config.feat_d.width = table.integer("width", config.feat_d.width, 1);
  config.prompts.pairs = table.integer("pairs", config.prompts.pairs, 1, 1000);
  config.prompts.tokens = table.integer("tokens", config.prompts.tokens, 1, 75);
  table.done();
}

void check(const TrainConfig& config) {
  const auto& loss = config.loss;
  if (!loss.pixel && !loss.perceptual && !loss.adversarial() && !loss.clipiqa)
    throw UsageError("the settings have no loss");
  if (loss.gan && !config.discriminator) throw UsageError("loss.gan needs a [discriminator]");
  if (!loss.gan && config.discriminator) throw UsageError("a [discriminator] needs loss.gan");
  if (loss.ldl && config.ema == 0) throw UsageError("loss.ldl needs the averaged generator (ema)");
}

}  // namespace

TrainConfig read_train_config(const TomlValue& root) {
  Settings table(&root);
  TrainConfig config;
  static_cast<RunConfig&>(config) = read_run_config(table);
  auto generator = table.table("generator");
  config.generator_start = generator.text("start", "");
  config.generator = read_generator(generator, config.data.scale, config.data.crop / config.data.scale);
  generator.done();
  config.discriminator =
      read_discriminator(table.table("discriminator"), config.data.crop, config.discriminator_start);
  read_semantics(table.table("semantics"), config);
  read_sfd(table.table("sfd"), config);
  config.loss = read_losses(table.table("loss"));
  config.generator_optimiser = read_optimiser(table.table("optimiser"), config.iterations);
  auto second = table.table("discriminator_optimiser");
  config.discriminator_optimiser =
      second.there() ? read_optimiser(second, config.iterations) : config.generator_optimiser;
  config.ema = table.number("ema", config.ema, 0, 0.9999999);
  config.gan_from = table.integer("gan_from", 0);
  config.checkpointing = table.flag("checkpointing", false);
  config.validation = read_validation(table.table("validation"));
  table.done();
  check(config);
  return config;
}

}  // namespace sr
