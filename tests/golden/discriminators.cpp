// Discriminators, SeD's fusion block and its semantics: eval mode forward and backward, then one forward and
// backward pass in training mode from the same state, with gradients of parameters and buffers after it.

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "case.h"
#include "core/error.h"
#include "nets/discriminator.h"
#include "nets/fill_module.h"
#include "nets/semantics.h"

namespace golden {
namespace {

using Json = nlohmann::json;
using Kind = sr::DiscriminatorConfig::Kind;

bool has_mode(const Case& recorded, const std::string& mode) {
  const Json modes = recorded.info().value("modes", Json::array());
  return std::find(modes.begin(), modes.end(), mode) != modes.end();
}

void compare(const Case& recorded, Report& report, const std::string& name, const Tensor& actual) {
  const Tensor expected = recorded.out(name);
  const bool exact = !expected.is_floating_point();
  const double tolerance = exact ? 0 : recorded.info().at("tol").at(name).get<double>();
  report.compare(name, actual.detach(), expected, tolerance);
}

/// What is asked for a gradient in this case.
Tensor input(const Case& recorded, const std::string& name) {
  return recorded.in(name).clone().requires_grad_(recorded.has("out.grad_" + name));
}

/// Every recorded output `prefix` + name, by the tensor of that name.
void compare_named(const Case& recorded, Report& report, const std::string& prefix,
                   const std::map<std::string, Tensor>& actual) {
  for (const std::string& output : recorded.outputs()) {
    if (!output.starts_with(prefix)) continue;
    const auto found = actual.find(output.substr(prefix.size()));
    if (found == actual.end()) throw sr::Error(fmt::format("our network has no {}", output));
    compare(recorded, report, output, found->second);
  }
}

// --- discriminators --------------------------------------------------------------------------------

/// One pass; outputs begin with `prefix`.
void pass(const Case& recorded, Report& report, sr::Discriminator& network, const std::string& prefix) {
  const Tensor image = input(recorded, "input");
  const Tensor semantics = network.config().semantic() ? input(recorded, "semantic") : Tensor();
  const Tensor output = network.forward(image, semantics);
  compare(recorded, report, prefix + "output", output);
  output.mean().backward();
  compare(recorded, report, prefix + "grad_input", image.grad());
  if (semantics.defined()) compare(recorded, report, prefix + "grad_semantic", semantics.grad());
}

void run(const Case& recorded, Report& report, const sr::DiscriminatorConfig& config) {
  const auto fresh = [&](bool training) {
    auto network = sr::make_discriminator(config);
    sr::copy_weights(*network, recorded.parameters());
    network->train(training);
    return network;
  };
  pass(recorded, report, *fresh(false), "");
  if (!has_mode(recorded, "train")) return;
  const auto network = fresh(true);
  pass(recorded, report, *network, "train.");
  std::map<std::string, Tensor> gradients, buffers;
  for (const auto& parameter : network->named_parameters())
    gradients[parameter.key()] = parameter.value().grad();
  for (const auto& buffer : network->named_buffers()) buffers[buffer.key()] = buffer.value();
  compare_named(recorded, report, "train.grad.", gradients);
  compare_named(recorded, report, "train.after.", buffers);
}

void run_unet(const Case& recorded, Report& report) {
  const Json& json = recorded.config();
  run(recorded, report,
      {.kind = Kind::unet,
       .in_channels = json.at("num_in_ch"),
       .width = json.at("num_feat"),
       .skips = json.at("skip_connection")});
}

void run_vgg(const Case& recorded, Report& report) {
  const Json& json = recorded.config();
  run(recorded, report,
      {.kind = Kind::vgg,
       .in_channels = json.at("num_in_ch"),
       .width = json.at("num_feat"),
       .image_size = json.at("input_size")});
}

void run_patchgan(const Case& recorded, Report& report) {
  using Norm = sr::DiscriminatorConfig::PatchNorm;
  const std::map<std::string, Norm> norms{{"spectral", Norm::spectral},
                                          {"batch", Norm::batch},
                                          {"instance", Norm::instance},
                                          {"batchspectral", Norm::batch_spectral}};
  const Json& json = recorded.config();
  run(recorded, report,
      {.kind = Kind::patchgan,
       .in_channels = json.at("input_nc"),
       .width = json.at("ndf"),
       .layers = json.at("n_layers"),
       .norm = norms.at(json.at("norm_type"))});
}

void run_nlayer(const Case& recorded, Report& report) {
  const Json& json = recorded.config();
  run(recorded, report,
      {.kind = Kind::nlayer,
       .in_channels = json.at("input_nc"),
       .width = json.at("ndf"),
       .layers = json.at("n_layers")});
}

// --- SeD -------------------------------------------------------------------------------------------

/// `semantic_size` is the semantics' side for images of 256.
sr::SemanticFusionConfig fusion_config(const Json& json) {
  return {.channels = json.at("semantic_dim"),
          .stride = 256 / json.at("semantic_size").get<int64_t>(),
          .heads = json.at("nheads"),
          .head_width = json.at("dhead")};
}

void run_sed_p(const Case& recorded, Report& report) {
  const Json& json = recorded.config();
  run(recorded, report,
      {.kind = Kind::sed_p,
       .in_channels = json.at("input_nc"),
       .width = json.at("ndf"),
       .fusion = fusion_config(json)});
}

void run_sed_u(const Case& recorded, Report& report) {
  const Json& json = recorded.config();
  run(recorded, report,
      {.kind = Kind::sed_u,
       .in_channels = json.at("num_in_ch"),
       .width = json.at("num_feat"),
       .skips = json.at("skip_connection"),
       .fusion = fusion_config(json)});
}

void run_fusion(const Case& recorded, Report& report) {
  const Json& json = recorded.config();
  sr::SemanticFusion fusion(
      {.channels = json.at("in_channels"),
       .stride = json.at("up_factor"),
       .heads = json.at("n_heads"),
       .head_width = json.at("d_head"),
       .depth = json.at("depth")},
      {.channels = json.at("context_dim"), .stride = 1, .one_smaller = json.at("is_last")});
  sr::copy_weights(fusion, recorded.parameters());
  const Tensor semantics = input(recorded, "semantic"), image = input(recorded, "image");
  const Tensor output = fusion.forward(semantics, image);
  compare(recorded, report, "output", output);
  output.mean().backward();
  compare(recorded, report, "grad_semantic", semantics.grad());
  compare(recorded, report, "grad_image", image.grad());
}

// --- semantics -------------------------------------------------------------------------------------

/// The case leaves out what the extractor doesn't run, and has the mean and deviation as buffers.
StateDict tower_weights(const Case& recorded, const sr::ModifiedResNet& tower) {
  StateDict weights = recorded.parameters();
  for (const char* constant : {"mean", "std"}) weights.erase(constant);
  for (const auto& parameter : tower.named_parameters()) weights.emplace(parameter.key(), parameter.value());
  for (const auto& buffer : tower.named_buffers()) weights.emplace(buffer.key(), buffer.value());
  return weights;
}

void run_extractor(const Case& recorded, Report& report) {
  const Json& json = recorded.config();
  const auto tower = std::make_shared<sr::ModifiedResNet>(
      sr::ClipResNetConfig{.layers = json.at("layers"),
                           .width = json.at("width"),
                           .output_dim = json.at("output_dim"),
                           .heads = json.at("heads"),
                           .input_resolution = json.at("input_resolution")});
  sr::fill_module(*tower, tower_weights(recorded, *tower));
  sr::ClipSemantics semantics(tower, 3);
  semantics.eval();
  compare(recorded, report, "output", semantics.forward(recorded.in("input")));
  semantics.train();
  compare(recorded, report, "train.output", semantics.forward(recorded.in("input")));
  std::map<std::string, Tensor> buffers;
  for (const auto& buffer : semantics.named_buffers()) buffers[buffer.key()] = buffer.value();
  compare_named(recorded, report, "train.after.", buffers);
}

void run_resnet50(const Case& recorded, Report& report) {
  const Json& json = recorded.config();
  const StateDict weights = recorded.parameters();
  sr::ResNet network(json.at("layers").get<std::vector<int64_t>>(), json.at("width").get<int64_t>());
  sr::fill_module(network, weights, sr::spare_in_resnet);
  const Tensor image = input(recorded, "input");
  const auto features = network.features(image);
  for (size_t level = 1; level < features.size(); ++level)
    compare(recorded, report, fmt::format("layer{}", level), features[level]);
  const Tensor pooled = features.back().mean({2, 3});
  compare(recorded, report, "avgpool", pooled);
  const Tensor output = at::linear(pooled, weights.at("fc.weight"), weights.at("fc.bias"));
  compare(recorded, report, "output", output);
  output.mean().backward();
  compare(recorded, report, "grad_input", image.grad());
}

}  // namespace

void add_discriminator_handlers(Handlers& handlers) {
  handlers["UNetDiscriminatorSN"] = run_unet;
  handlers["VGGStyleDiscriminator"] = run_vgg;
  handlers["Discriminator_PatchGAN"] = run_patchgan;
  handlers["NLayerDiscriminator"] = run_nlayer;
  handlers["SeD_P"] = run_sed_p;
  handlers["SeD_U"] = run_sed_u;
  handlers["ModifiedSpatialTransformer"] = run_fusion;
  handlers["CLIP_Semantic_extractor"] = run_extractor;
  handlers["ResNet50"] = run_resnet50;
}

}  // namespace golden
