#include "nets/network.h"

#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>
#include <vector>

#include "core/error.h"
#include "nets/edsr.h"
#include "nets/layers.h"
#include "nets/msrresnet.h"
#include "nets/nafnet.h"
#include "nets/recomputed.h"
#include "nets/rrdbnet.h"
#include "nets/se_rrdb.h"
#include "nets/srvgg.h"
#include "nets/swinir.h"

namespace sr {
namespace {

/// "WHAT a, b, c and 17 more", or nothing.
std::string listed(const char* what, const std::vector<std::string>& names) {
  constexpr size_t shown = 6;
  if (names.empty()) return {};
  const size_t count = std::min(shown, names.size());
  std::string text = fmt::format("{} {}", what, fmt::join(names.begin(), names.begin() + count, ", "));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

/// What keeps a state dict from fitting a network.
struct Misfit {
  std::vector<std::string> missing, unexpected, misshapen;

  void check() const;
};

void Misfit::check() const {
  std::vector<std::string> parts;
  for (auto part :
       {listed("missing", missing), listed("unexpected", unexpected), listed("misshapen", misshapen)}) {
    if (!part.empty()) parts.push_back(std::move(part));
  }
  if (!parts.empty()) throw Error(fmt::format("the weights do not fit: {}", fmt::join(parts, "; ")));
}

Misfit misfit(const Network& network, const StateDict& weights) {
  Misfit found;
  std::set<std::string> own;
  for (const auto& parameter : network.named_parameters()) {
    own.insert(parameter.key());
    const auto entry = weights.find(parameter.key());
    if (entry == weights.end()) {
      found.missing.push_back(parameter.key());
    } else if (entry->second.sizes() != parameter->sizes()) {
      found.misshapen.push_back(fmt::format("{} ({}, not {})", parameter.key(),
                                            fmt::join(entry->second.sizes(), "x"),
                                            fmt::join(parameter->sizes(), "x")));
    }
  }
  for (const auto& [key, tensor] : weights) {
    if (!own.count(key) && !network.recomputes(key)) found.unexpected.push_back(key);
  }
  return found;
}

struct Family {
  const char* name;
  bool (*fits)(const StateDict& weights);
  std::shared_ptr<Network> (*make)(const StateDict& weights);
};

/// As what only ever runs forward.
std::shared_ptr<Network> frozen(std::shared_ptr<Network> network) {
  network->eval();
  for (auto& parameter : network->parameters()) parameter.requires_grad_(false);
  return network;
}

/// `detect` tells the configuration of a `Net` where the weights are one's.
template <class Net, auto detect>
constexpr Family family(const char* name) {
  return {name, [](const StateDict& weights) { return detect(weights).has_value(); },
          [](const StateDict& weights) -> std::shared_ptr<Network> {
            auto network = std::make_shared<Net>(*detect(weights));
            load_weights(*network, weights);
            return frozen(std::move(network));
          }};
}

// Se-RRDB is RRDBNet and more: it comes first.
constexpr std::array kFamilies{Family{"Se-RRDB", is_se_rrdb,
                                      [](const StateDict& weights) -> std::shared_ptr<Network> {
                                        return frozen(make_se_rrdb(weights));
                                      }},
                               family<RRDBNet, detect_rrdbnet>("RRDBNet"),
                               family<SRVGGNetCompact, detect_srvgg>("SRVGGNetCompact"),
                               family<SwinIR, detect_swinir>("SwinIR"),
                               family<NAFNet, detect_nafnet>("NAFNet"),
                               family<EDSR, detect_edsr>("EDSR"),
                               family<MSRResNet, detect_msrresnet>("MSRResNet")};

}  // namespace

void load_weights(Network& network, const StateDict& weights) {
  misfit(network, weights).check();
  const at::NoGradGuard no_grad;
  for (auto& parameter : network.named_parameters()) parameter->copy_(weights.at(parameter.key()));
}

void set_precision(torch::nn::Module& network, at::ScalarType type) {
  for (const auto& module : network.modules(/*include_self=*/false)) {
    if (const auto layer = std::dynamic_pointer_cast<WeightLayer>(module)) layer->set_precision(type);
  }
  if (type == at::kFloat) return;
  for (auto& parameter : network.parameters()) {  // what stays float32 must not keep a mapped file alive
    if (parameter.scalar_type() == at::kFloat) parameter.set_data(parameter.detach().clone());
  }
}

Tensor Network::run(const std::function<Tensor(const Tensor&)>& part, const Tensor& input) const {
  return recomputing_ && at::GradMode::is_enabled() ? recomputed(part, input) : part(input);
}

std::optional<std::string> network_family(const StateDict& checkpoint) {
  const StateDict weights = rrdbnet_keys(checkpoint);
  for (const Family& family : kFamilies) {
    if (family.fits(weights)) return family.name;
  }
  return std::nullopt;
}

std::shared_ptr<Network> make_network(const StateDict& checkpoint) {
  const StateDict weights = rrdbnet_keys(checkpoint);
  for (const Family& family : kFamilies) {
    if (family.fits(weights)) return family.make(weights);
  }
  throw Error("the weights' keys are of no network known here");
}

}  // namespace sr
