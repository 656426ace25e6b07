// The four key layouts of RRDBNet checkpoints, and the configuration behind one.

#include <array>
#include <fmt/format.h>
#include <string_view>
#include <utility>

#include "nets/keys.h"
#include "nets/rrdbnet.h"

namespace sr {
namespace {

using Replacement = std::pair<std::string_view, std::string_view>;

constexpr std::string_view kSequentialBlocks = "model.1.sub.";

/// `text` with the first occurrence of `from` replaced.
std::string replaced(std::string text, const Replacement& replacement) {
  const auto& [from, to] = replacement;
  const size_t at = text.find(from);
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

/// ESRGAN 2019, BSRGAN, RealSR, SFD, SeD.
std::string trunk_key(std::string key) {
  constexpr std::array<Replacement, 5> table{{{"RRDB_trunk.", "body."},
                                              {".RDB", ".rdb"},
                                              {"trunk_conv.", "conv_body."},
                                              {"upconv", "conv_up"},
                                              {"HRconv.", "conv_hr."}}};
  for (const auto& row : table) key = replaced(std::move(key), row);
  return key;
}

/// A key below `model.1.sub.`: the blocks, and the convolution after them, which has the last number.
std::string sequential_body_key(const std::string& key, int64_t last) {
  const std::string_view rest = std::string_view(key).substr(kSequentialBlocks.size());
  const std::string after = fmt::format("{}.", last);
  if (rest.starts_with(after)) return fmt::format("conv_body.{}", rest.substr(after.size()));
  std::string name = replaced(fmt::format("body.{}", rest), {".RDB", ".rdb"});
  // conv1..conv4 are pairs of convolution and activation; conv5 is one in KAIR's layout but not in the
  // oldest.
  name = replaced(std::move(name), {".0.weight", ".weight"});
  return replaced(std::move(name), {".0.bias", ".bias"});
}

/// Names of the numbered layers around the blocks: first, upsampling steps, the two last.
std::map<int64_t, std::string> sequential_names(const std::vector<int64_t>& numbers) {
  std::map<int64_t, std::string> names;
  for (const int64_t number : numbers) {
    if (number > 1) names[number] = fmt::format("conv_up{}", names.size() + 1);
  }
  if (names.size() >= 2) {
    names.rbegin()->second = "conv_last";
    std::next(names.rbegin())->second = "conv_hr";
  }
  names[0] = "conv_first";
  return names;
}

/// The oldest layout and KAIR's: everything in nested Sequentials.
StateDict from_sequential(const StateDict& weights) {
  const auto blocks = keys::children(weights, std::string(kSequentialBlocks));
  const auto names = sequential_names(keys::children(weights, "model."));
  StateDict renamed;
  for (const auto& [key, tensor] : weights) {
    std::string name = key;
    if (key.starts_with(kSequentialBlocks)) {
      name = sequential_body_key(key, blocks.empty() ? -1 : blocks.back());
    } else {
      for (const auto& [number, layer] : names) {
        const std::string prefix = fmt::format("model.{}.", number);
        if (key.starts_with(prefix)) name = fmt::format("{}.{}", layer, key.substr(prefix.size()));
      }
    }
    renamed[name] = tensor;
  }
  return renamed;
}

/// BasicSR's x2 and x1 networks unshuffle by 2 and 4. An image has as many channels going in as coming out,
/// so a multiple tells; 12 and 48 tell by themselves. Four channels to three (RGBA to RGB) is no unshuffling.
int64_t unshuffle_factor(int64_t in, int64_t out) {
  if (in == 16 * out || in == 48) return 4;
  return in == 4 * out || in == 12 ? 2 : 1;
}

void detect_upsampling(const StateDict& weights, RRDBNetConfig& config) {
  using Upsampling = RRDBNetConfig::Upsampling;
  config.enlargements.clear();
  for (int64_t step = 1; keys::has(weights, fmt::format("conv_up{}.weight", step)); ++step) {
    const std::string key = fmt::format("conv_up{}.weight", step);
    const int64_t outputs = keys::extent(weights, key, 0), kernel = keys::extent(weights, key, 3);
    const int64_t factor = keys::square_root(outputs / config.features);
    // A kernel of 3 is a transposed x3 or a convolution: the second is what exists.
    if (kernel == 2) config.upsampling = Upsampling::transposed;
    if (factor > 1) config.upsampling = Upsampling::pixel_shuffle;
    config.enlargements.push_back(factor > 1 ? factor : 2);
  }
}

}  // namespace

StateDict rrdbnet_keys(const StateDict& weights) {
  if (keys::has_prefix(weights, std::string(kSequentialBlocks))) return from_sequential(weights);
  if (!keys::has_prefix(weights, "RRDB_trunk.")) return weights;
  StateDict renamed;
  for (const auto& [key, tensor] : weights) renamed[trunk_key(key)] = tensor;
  return renamed;
}

std::optional<RRDBNetConfig> detect_rrdbnet(const StateDict& weights) {
  const std::string dense = "body.0.rdb1.conv1.weight";
  if (!keys::has(weights, dense)) return std::nullopt;
  RRDBNetConfig config;
  config.features = keys::extent(weights, "conv_first.weight", 0);
  config.out_channels = keys::extent(weights, "conv_last.weight", 0);
  config.growth = keys::extent(weights, dense, 0);
  config.blocks = keys::count(weights, "body.");
  const int64_t inputs = keys::extent(weights, "conv_first.weight", 1);
  config.unshuffle = unshuffle_factor(inputs, config.out_channels);
  config.in_channels = inputs / (config.unshuffle * config.unshuffle);
  detect_upsampling(weights, config);
  return config;
}

}  // namespace sr
