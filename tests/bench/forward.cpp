// forward NETWORK SIZE PRECISION RUNS [FILE]
//
// Times the forward pass of a network of official size with random weights on one picture of SIZE x SIZE, as
// the engine runs it. Prints RUNS lines of seconds; the first line is the multiply-adds. FILE receives the
// weights.

#include <chrono>
#include <cmath>
#include <fmt/format.h>
#include <map>

#include "infer/engine.h"
#include "nets/edsr.h"
#include "nets/msrresnet.h"
#include "nets/nafnet.h"
#include "nets/rrdbnet.h"
#include "nets/srvgg.h"
#include "nets/summary.h"
#include "nets/swinir.h"
#include "weights/safetensors.h"

namespace {

using Make = std::shared_ptr<sr::Network> (*)();

std::shared_ptr<sr::Network> swinir_light() {
  sr::SwinIRConfig config;
  config.embedding = 60;
  config.window = 8;
  config.mlp_ratio = 2;
  config.scale = 4;
  config.upsampler = sr::SwinIRConfig::Upsampler::shuffle_direct;
  return std::make_shared<sr::SwinIR>(config);
}

std::shared_ptr<sr::Network> nafnet32() {
  sr::NAFNetConfig config;
  config.width = 32;
  config.encoder_blocks = {1, 1, 1, 28};
  config.decoder_blocks = {1, 1, 1, 1};
  return std::make_shared<sr::NAFNet>(config);
}

const std::map<std::string, Make>& networks() {
  static const std::map<std::string, Make> all{
      {"srvgg16",
       []() -> std::shared_ptr<sr::Network> {
         return std::make_shared<sr::SRVGGNetCompact>(sr::SRVGGConfig{});
       }},
      {"rrdb23",
       []() -> std::shared_ptr<sr::Network> { return std::make_shared<sr::RRDBNet>(sr::RRDBNetConfig{}); }},
      {"edsr-m",
       []() -> std::shared_ptr<sr::Network> { return std::make_shared<sr::EDSR>(sr::EDSRConfig{}); }},
      {"msrresnet",
       []() -> std::shared_ptr<sr::Network> {
         return std::make_shared<sr::MSRResNet>(sr::MSRResNetConfig{});
       }},
      {"swinir-light", swinir_light},
      {"nafnet32", nafnet32}};
  return all;
}

/// Random weights of the size that keeps activations about equal through the layers (zeros would run too
/// fast).
sr::StateDict random_weights(const sr::Network& network) {
  torch::manual_seed(1);
  sr::StateDict weights;
  for (const auto& parameter : network.named_parameters()) {
    const auto& tensor = parameter.value();
    const double inputs = tensor.dim() > 1 ? static_cast<double>(tensor.numel() / tensor.size(0)) : 100;
    weights[parameter.key()] = (torch::rand(tensor.sizes()) * 2 - 1) / std::sqrt(inputs);
  }
  return weights;
}

sr::Precision precision_named(const std::string& name) {
  return name == "fp32"   ? sr::Precision::fp32
         : name == "bf16" ? sr::Precision::bf16
                          : sr::Precision::automatic;
}

int run(const std::string& name, int size, const std::string& precision, int runs, const char* file) {
  const auto network = networks().at(name)();
  const auto weights = random_weights(*network);
  if (file != nullptr) sr::write_safetensors(file, weights);
  fmt::print("{}\n", sr::count_multiply_adds(*network, size, size));
  sr::Log log("forward");
  sr::Engine engine(weights, {at::kCPU, precision_named(precision), 0, false}, log);
  const auto input = torch::rand({3, size, size});
  for (int i = -1; i < runs; i++) {  // one to warm up
    const auto start = std::chrono::steady_clock::now();
    engine.stage().run([&] { engine.forward(input, 0); });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (i >= 0) fmt::print("{}\n", seconds.count());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5 || networks().count(argv[1]) == 0) {
    fmt::print(stderr, "usage: forward NETWORK SIZE PRECISION RUNS [FILE]\n");
    return 2;
  }
  try {
    return run(argv[1], std::stoi(argv[2]), argv[3], std::stoi(argv[4]), argc > 5 ? argv[5] : nullptr);
  } catch (const std::exception& error) {
    fmt::print(stderr, "forward: {}\n", error.what());
    return 1;
  }
}
