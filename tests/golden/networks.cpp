// Generators: the recorded configuration is built, filled, run forward and backward, and must also be what
// detection reads off the keys.

#include <algorithm>
#include <optional>

#include "case.h"
#include "core/error.h"
#include "nets/edsr.h"
#include "nets/msrresnet.h"
#include "nets/nafnet.h"
#include "nets/network.h"
#include "nets/rrdbnet.h"
#include "nets/srvgg.h"
#include "nets/swinir.h"

namespace golden {
namespace {

using Json = nlohmann::json;

/// Loads `weights` (the network's own names) and compares the output, and the gradient of its mean where
/// recorded.
void run(const Case& fixture, Report& report, sr::Network& network, const StateDict& weights) {
  sr::load_weights(network, weights);
  network.eval();
  const auto& tolerances = fixture.info().at("tol");
  const bool backward = fixture.has("out.grad_input");
  const Tensor input = fixture.in("input").clone().requires_grad_(backward);
  const Tensor output = network.forward(input);
  report.compare("output", output.detach(), fixture.out("output"), tolerances.at("output").get<double>());
  if (!backward) return;
  output.mean().backward();
  report.compare("grad_input", input.grad(), fixture.out("grad_input"),
                 tolerances.at("grad_input").get<double>());
}

/// What every family does once its configuration is read.
template <class Net, class Config>
void run_family(const Case& fixture, Report& report, const Config& config,
                const std::optional<Config>& detected, const StateDict& weights) {
  report.require("detection reads the configuration off the keys", detected && *detected == config);
  Net network(config);
  run(fixture, report, network, weights);
}

// --- RRDBNet ---------------------------------------------------------------------------------------

/// The first of `names` that the configuration has: the four codes call the same things differently.
int64_t either(const Json& config, std::initializer_list<const char*> names, int64_t otherwise) {
  for (const char* name : names) {
    if (config.contains(name)) return config.at(name).get<int64_t>();
  }
  return otherwise;
}

sr::RRDBNetConfig::Upsampling rrdbnet_upsampling(const std::string& mode) {
  using Upsampling = sr::RRDBNetConfig::Upsampling;
  if (mode == "upconv") return Upsampling::nearest;
  if (mode == "pixelshuffle") return Upsampling::pixel_shuffle;
  if (mode == "convtranspose") return Upsampling::transposed;
  throw sr::Error("unknown upsample_mode " + mode);
}

/// Upsampling steps of the layouts that have one for each doubling.
std::vector<int64_t> doublings(int64_t scale) {
  if (scale == 3) return {3};
  std::vector<int64_t> steps;
  for (; scale >= 2; scale /= 2) steps.push_back(2);
  return steps;
}

sr::RRDBNetConfig rrdbnet_config(const Json& json, const std::string& naming) {
  const int64_t scale = either(json, {"scale", "sf", "upscale"}, 4);
  sr::RRDBNetConfig config;
  if (naming == "basicsr") config = sr::RRDBNetConfig::basicsr(scale);
  if (naming == "rrdb_trunk" && scale != 4) config.enlargements = {2};
  if (naming == "esrgan_old" || naming == "kair_model") config.enlargements = doublings(scale);
  config.in_channels = either(json, {"num_in_ch", "in_nc"}, 3);
  config.out_channels = either(json, {"num_out_ch", "out_nc"}, 3);
  config.features = either(json, {"num_feat", "num_filters", "nf", "nc"}, 64);
  config.blocks = either(json, {"num_block", "num_blocks", "nb"}, 23);
  config.growth = either(json, {"num_grow_ch", "gc"}, 32);
  config.upsampling = rrdbnet_upsampling(json.value("upsample_mode", std::string("upconv")));
  if (json.value("act_mode", std::string("L")) == "R")
    config.activation = sr::RRDBNetConfig::Activation::relu;
  return config;
}

/// Detection can't see ReLU instead of leaky ReLU, nor a threefold step without a pixel shuffle, and takes a
/// first convolution of unusual width for one of as many image channels.
sr::RRDBNetConfig as_told_by_keys(sr::RRDBNetConfig detected, const sr::RRDBNetConfig& actual) {
  detected.activation = actual.activation;
  const bool threefold = actual.enlargements == std::vector<int64_t>{3};
  if (threefold && detected.upsampling == sr::RRDBNetConfig::Upsampling::nearest)
    detected.upsampling = actual.upsampling;
  if (detected.enlargements.size() == actual.enlargements.size()) detected.enlargements = actual.enlargements;
  if (actual.in_channels != actual.out_channels) {
    detected.in_channels = actual.in_channels;
    detected.unshuffle = actual.unshuffle;
  }
  return detected;
}

void run_rrdbnet(const Case& fixture, Report& report) {
  const auto config =
      rrdbnet_config(fixture.config(), fixture.info().value("naming", std::string("basicsr")));
  const StateDict weights = sr::rrdbnet_keys(fixture.parameters());
  auto detected = sr::detect_rrdbnet(weights);
  if (detected) detected = as_told_by_keys(*detected, config);
  run_family<sr::RRDBNet>(fixture, report, config, detected, weights);
}

// --- SRVGGNetCompact -------------------------------------------------------------------------------

void run_srvgg(const Case& fixture, Report& report) {
  using Activation = sr::SRVGGConfig::Activation;
  const std::map<std::string, Activation> activations{
      {"prelu", Activation::prelu}, {"relu", Activation::relu}, {"leakyrelu", Activation::leaky_relu}};
  const Json& json = fixture.config();
  const sr::SRVGGConfig config{.in_channels = json.value("num_in_ch", 3),
                               .out_channels = json.value("num_out_ch", 3),
                               .features = json.value("num_feat", 64),
                               .convs = json.value("num_conv", 16),
                               .scale = json.value("upscale", 4),
                               .activation = activations.at(json.value("act_type", std::string("prelu")))};
  const StateDict weights = fixture.parameters();
  auto detected = sr::detect_srvgg(weights);
  const bool weightless = config.activation != Activation::prelu;
  if (detected && weightless && detected->activation != Activation::prelu)
    detected->activation = config.activation;
  // The last convolution has out_channels * scale^2 outputs: which of the two, only RGB and grey tell.
  if (detected && config.in_channels != config.out_channels &&
      detected->out_channels * detected->scale * detected->scale ==
          config.out_channels * config.scale * config.scale) {
    detected->out_channels = config.out_channels;
    detected->scale = config.scale;
  }
  run_family<sr::SRVGGNetCompact>(fixture, report, config, detected, weights);
}

// --- SwinIR ----------------------------------------------------------------------------------------

sr::SwinIRConfig::Upsampler swinir_upsampler(const std::string& name) {
  using Upsampler = sr::SwinIRConfig::Upsampler;
  if (name == "pixelshuffle") return Upsampler::shuffle;
  if (name == "pixelshuffledirect") return Upsampler::shuffle_direct;
  return name == "nearest+conv" ? Upsampler::nearest_conv : Upsampler::none;
}

void read_swinir_rates(const Json& json, sr::SwinIRConfig& config) {
  config.drop_rate = json.value("drop_rate", config.drop_rate);
  config.attention_drop_rate = json.value("attn_drop_rate", config.attention_drop_rate);
  config.path_drop_rate = json.value("drop_path_rate", config.path_drop_rate);
}

sr::SwinIRConfig swinir_config(const Json& json) {
  sr::SwinIRConfig config;
  const Json size = json.value("img_size", Json(64));
  if (size.is_array())
    config.image_size = size.get<std::array<int64_t, 2>>();
  else
    config.image_size.fill(size.get<int64_t>());
  config.patch_size = json.value("patch_size", config.patch_size);
  config.channels = json.value("in_chans", config.channels);
  config.embedding = json.value("embed_dim", config.embedding);
  config.depths = json.value("depths", config.depths);
  config.heads = json.value("num_heads", config.heads);
  config.window = json.value("window_size", config.window);
  config.mlp_ratio = json.value("mlp_ratio", config.mlp_ratio);
  config.qkv_bias = json.value("qkv_bias", config.qkv_bias);
  if (json.contains("qk_scale") && !json.at("qk_scale").is_null())
    config.qk_scale = json.at("qk_scale").get<double>();
  read_swinir_rates(json, config);
  config.position_embedding = json.value("ape", config.position_embedding);
  config.patch_norm = json.value("patch_norm", config.patch_norm);
  config.scale = json.value("upscale", config.scale);
  config.image_range = json.value("img_range", config.image_range);
  config.upsampler = swinir_upsampler(json.value("upsampler", std::string()));
  config.three_convs = json.value("resi_connection", std::string("1conv")) == "3conv";
  return config;
}

/// What keys can't tell is taken over from the actual configuration.
sr::SwinIRConfig as_told_by_keys(sr::SwinIRConfig detected, const sr::SwinIRConfig& actual) {
  detected.qk_scale = actual.qk_scale;
  detected.drop_rate = actual.drop_rate;
  detected.attention_drop_rate = actual.attention_drop_rate;
  detected.path_drop_rate = actual.path_drop_rate;
  detected.patch_size = actual.patch_size;
  detected.image_range = actual.image_range;
  if (detected.mlp_features() == actual.mlp_features()) detected.mlp_ratio = actual.mlp_ratio;
  // The keys show the windows that the layers use, and whether they shift: that is all the image size
  // decides.
  const bool single_layers = *std::max_element(actual.depths.begin(), actual.depths.end()) < 2;
  if (detected.effective_window() == actual.effective_window() &&
      (single_layers || detected.shift() == actual.shift())) {
    detected.image_size = actual.image_size;
    detected.window = actual.window;
  }
  if (detected.layer_scale() == actual.layer_scale()) detected.scale = actual.scale;
  return detected;
}

void run_swinir(const Case& fixture, Report& report) {
  const auto config = swinir_config(fixture.config());
  const StateDict weights = fixture.parameters();
  auto detected = sr::detect_swinir(weights);
  if (detected) detected = as_told_by_keys(*detected, config);
  run_family<sr::SwinIR>(fixture, report, config, detected, weights);
}

// --- EDSR, MSRResNet -------------------------------------------------------------------------------

void run_edsr(const Case& fixture, Report& report) {
  const Json& json = fixture.config();
  sr::EDSRConfig config;
  config.in_channels = json.value("num_in_ch", config.in_channels);
  config.out_channels = json.value("num_out_ch", config.out_channels);
  config.features = json.value("num_feat", config.features);
  config.blocks = json.value("num_block", config.blocks);
  config.scale = json.value("upscale", config.scale);
  config.residual_scale = json.value("res_scale", config.residual_scale);
  config.image_range = json.value("img_range", config.image_range);
  config.mean = json.value("rgb_mean", config.mean);
  const StateDict weights = fixture.parameters();
  auto detected = sr::detect_edsr(weights);
  if (detected) {  // not in the keys
    detected->residual_scale = config.residual_scale;
    detected->image_range = config.image_range;
    detected->mean = config.mean;
  }
  run_family<sr::EDSR>(fixture, report, config, detected, weights);
}

void run_msrresnet(const Case& fixture, Report& report) {
  const Json& json = fixture.config();
  const sr::MSRResNetConfig config{.in_channels = json.value("num_in_ch", 3),
                                   .out_channels = json.value("num_out_ch", 3),
                                   .features = json.value("num_feat", 64),
                                   .blocks = json.value("num_block", 16),
                                   .scale = json.value("upscale", 4)};
  const StateDict weights = fixture.parameters();
  run_family<sr::MSRResNet>(fixture, report, config, sr::detect_msrresnet(weights), weights);
}

// --- NAFNet ----------------------------------------------------------------------------------------

void run_nafnet(const Case& fixture, Report& report) {
  const Json& json = fixture.config();
  sr::NAFNetConfig config;
  config.channels = json.value("img_channel", config.channels);
  config.width = json.value("width", config.width);
  config.middle_blocks = json.value("middle_blk_num", config.middle_blocks);
  config.encoder_blocks = json.value("enc_blk_nums", config.encoder_blocks);
  config.decoder_blocks = json.value("dec_blk_nums", config.decoder_blocks);
  if (fixture.arch() == "NAFNetLocal") {
    const auto size = json.value("train_size", std::vector<int64_t>{1, 3, 256, 256});
    config.local = sr::NAFNetConfig::Local{{size.at(2), size.at(3)}, json.value("fast_imp", false)};
  }
  const StateDict weights = fixture.parameters();
  auto detected = sr::detect_nafnet(weights);
  if (detected) detected->local = config.local;  // not in the keys
  run_family<sr::NAFNet>(fixture, report, config, detected, weights);
}

}  // namespace

void add_network_handlers(Handlers& handlers) {
  handlers["RRDBNet"] = run_rrdbnet;
  handlers["SRVGGNetCompact"] = run_srvgg;
  handlers["SwinIR"] = run_swinir;
  handlers["EDSR"] = run_edsr;
  handlers["MSRResNet"] = run_msrresnet;
  handlers["NAFNet"] = run_nafnet;
  handlers["NAFNetLocal"] = run_nafnet;
}

}  // namespace golden
