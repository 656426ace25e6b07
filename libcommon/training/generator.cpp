#include "training/generator.h"

#include "nets/draw.h"

namespace sr {
namespace {

SRVGGConfig read_srvgg(Settings& table, int scale) {
  using Activation = SRVGGConfig::Activation;
  SRVGGConfig config;
  config.features = table.integer("features", config.features, 1);
  config.convs = table.integer("convs", config.convs, 1, 1000);
  config.scale = scale;
  config.activation = table.choice<Activation>(
      "activation", config.activation,
      {{"prelu", Activation::prelu}, {"relu", Activation::relu}, {"leaky-relu", Activation::leaky_relu}});
  return config;
}

RRDBNetConfig read_rrdb(Settings& table, int scale) {
  auto config = RRDBNetConfig::basicsr(scale);
  config.features = table.integer("features", config.features, 1);
  config.blocks = table.integer("blocks", config.blocks, 1, 1000);
  config.growth = table.integer("growth", config.growth, 1);
  return config;
}

SeRRDBConfig read_se_rrdb(Settings& table, int scale) {
  SeRRDBConfig config;
  config.blocks = table.integer("blocks", config.blocks, 1, 1000);
  config.rrdb = read_rrdb(table, scale);
  if (const auto fused = table.integers("fused"); !fused.empty()) config.fused = fused;
  return config;
}

SwinIRConfig read_swinir(Settings& table, int scale, std::int64_t lr_crop) {
  using Upsampler = SwinIRConfig::Upsampler;
  SwinIRConfig config;
  config.image_size = {lr_crop, lr_crop};
  config.window = table.integer("window", 8, 1, 1024);
  config.embedding = table.integer("embedding", 180, 1);
  config.depths = table.integers("depths", {6, 6, 6, 6, 6, 6});
  config.heads = table.integers("heads", {6, 6, 6, 6, 6, 6});
  config.mlp_ratio = table.number("mlp_ratio", 2, 0.01, 100);
  config.path_drop_rate = table.number("path_drop", config.path_drop_rate, 0, 0.99);
  config.three_convs = table.flag("three_convs", false);
  config.scale = scale;
  config.upsampler = table.choice<Upsampler>("upsampler", Upsampler::shuffle,
                                             {{"pixelshuffle", Upsampler::shuffle},
                                              {"pixelshuffledirect", Upsampler::shuffle_direct},
                                              {"nearest+conv", Upsampler::nearest_conv},
                                              {"none", Upsampler::none}});
  return config;
}

EDSRConfig read_edsr(Settings& table, int scale) {
  EDSRConfig config;
  config.features = table.integer("features", config.features, 1);
  config.blocks = table.integer("blocks", config.blocks, 1, 1000);
  config.residual_scale = table.number("residual_scale", config.residual_scale, 0, 1);
  config.scale = scale;
  return config;
}

MSRResNetConfig read_msrresnet(Settings& table, int scale) {
  MSRResNetConfig config;
  config.features = table.integer("features", config.features, 1);
  config.blocks = table.integer("blocks", config.blocks, 1, 1000);
  config.scale = scale;
  return config;
}

NAFNetConfig read_nafnet(Settings& table, int scale) {
  if (scale != 1) table.refuse("network", "nafnet keeps the size: data.scale must be 1");
  NAFNetConfig config;
  config.width = table.integer("width", 32, 1);
  config.middle_blocks = table.integer("middle_blocks", 1, 0, 1000);
  config.encoder_blocks = table.integers("encoder_blocks", {1, 1, 1, 28});
  config.decoder_blocks = table.integers("decoder_blocks", {1, 1, 1, 1});
  return config;
}

/// Networks of which the official code has no start of its own begin as PyTorch's layers do.
template <class Module>
void draw(Module& module, const at::Generator& draws) {
  draw_defaults(module, draws);
}

void draw(RRDBNet& network, const at::Generator& draws) { network.draw(draws); }

/// PReLU's slopes begin at 0.25.
void draw(SRVGGNetCompact& network, const at::Generator& draws) {
  constexpr double kSlope = 0.25;
  draw_defaults(network, draws);
  for (const auto& activation : network.activations) {
    if (activation->weight.defined()) activation->weight.fill_(kSlope);
  }
}

/// Linear layers and position tables normal around 0, cut off at two absolute units, which never happens;
/// biases 0. Official: SwinIR models/network_swinir.py _init_weights.
void draw(SwinIR& network, const at::Generator& draws) {
  constexpr double kDeviation = 0.02;
  draw_defaults(network, draws);
  for (const auto& module : network.modules()) {
    if (auto* linear = dynamic_cast<Linear*>(module.get())) {
      linear->weight.normal_(0, kDeviation, draws);
      if (linear->bias.defined()) linear->bias.zero_();
    } else if (auto* attention = dynamic_cast<WindowAttention*>(module.get())) {
      attention->relative_position_bias_table.normal_(0, kDeviation, draws);
    }
  }
}

template <class Module, class Config>
std::shared_ptr<Network> made(const Config& config, const at::Generator& draws) {
  auto network = std::make_shared<Module>(config);
  draw(*network, draws);
  return network;
}

}  // namespace

GeneratorConfig read_generator(Settings& table, int scale, int lr_crop) {
  enum class Kind { srvgg, rrdbnet, se_rrdb, swinir, edsr, msrresnet, nafnet };
  const auto kind = table.choice<Kind>("network", Kind::srvgg,
                                       {{"srvgg", Kind::srvgg},
                                        {"rrdbnet", Kind::rrdbnet},
                                        {"se-rrdb", Kind::se_rrdb},
                                        {"swinir", Kind::swinir},
                                        {"edsr", Kind::edsr},
                                        {"msrresnet", Kind::msrresnet},
                                        {"nafnet", Kind::nafnet}});
  switch (kind) {
    case Kind::srvgg: return read_srvgg(table, scale);
    case Kind::rrdbnet: return read_rrdb(table, scale);
    case Kind::se_rrdb: return read_se_rrdb(table, scale);
    case Kind::swinir: return read_swinir(table, scale, lr_crop);
    case Kind::edsr: return read_edsr(table, scale);
    case Kind::msrresnet: return read_msrresnet(table, scale);
    default: return read_nafnet(table, scale);
  }
}

std::shared_ptr<Network> make_generator(const GeneratorConfig& config, const at::Generator& draws,
                                        const std::shared_ptr<SemanticExtractor>& semantics) {
  const at::NoGradGuard no_grad;
  struct Maker {
    const at::Generator& draws;
    const std::shared_ptr<SemanticExtractor>& semantics;
    std::shared_ptr<Network> operator()(const SRVGGConfig& c) const {
      return made<SRVGGNetCompact>(c, draws);
    }
    std::shared_ptr<Network> operator()(const RRDBNetConfig& c) const { return made<RRDBNet>(c, draws); }
    std::shared_ptr<Network> operator()(const SwinIRConfig& c) const { return made<SwinIR>(c, draws); }
    std::shared_ptr<Network> operator()(const EDSRConfig& c) const { return made<EDSR>(c, draws); }
    std::shared_ptr<Network> operator()(const MSRResNetConfig& c) const { return made<MSRResNet>(c, draws); }
    std::shared_ptr<Network> operator()(const NAFNetConfig& c) const { return made<NAFNet>(c, draws); }
    std::shared_ptr<Network> operator()(const SeRRDBConfig& c) const {
      auto network = std::make_shared<SeRRDBNet>(c, semantics);
      network->draw(draws);
      return network;
    }
  };
  auto network = std::visit(Maker{draws, semantics}, config);
  network->train();
  for (auto& parameter : network->parameters()) parameter.requires_grad_(true);
  return network;
}

}  // namespace sr
