// What the file of a Se-RRDB holds, and the network behind it.

#include <array>
#include <fmt/format.h>
#include <utility>

#include "core/error.h"
#include "nets/keys.h"
#include "nets/se_rrdb.h"

namespace sr {
namespace {

constexpr const char* semantics_prefix = "semantics.";

std::string fusion_prefix(int64_t block) { return fmt::format("body.{}.att.", block); }

/// Blocks that fuse, counted from 1.
std::vector<int64_t> fused_blocks(const StateDict& weights) {
  std::vector<int64_t> fused;
  for (const int64_t block : keys::children(weights, "body.")) {
    if (keys::has_prefix(weights, fusion_prefix(block))) fused.push_back(block + 1);
  }
  return fused;
}

/// RRDBNet's, told by the first block that is one of its own.
RRDBNetConfig rrdb_config(StateDict weights) {
  for (const int64_t block : keys::children(weights, "body.")) {
    const auto dense = weights.find(fmt::format("body.{}.rdb1.conv1.weight", block));
    if (dense == weights.end()) continue;
    weights["body.0.rdb1.conv1.weight"] = dense->second;
    return detect_rrdbnet(weights).value();
  }
  throw Error("this Se-RRDB has fusion blocks only, and no RRDB");
}

/// By what a block has in cross-attention's place.
SemanticFusionConfig::Kind fusion_kind(const StateDict& weights, const std::string& mixer) {
  using Kind = SemanticFusionConfig::Kind;
  constexpr std::array<std::pair<const char*, Kind>, 3> others{
      {{"join.", Kind::concatenation}, {"fc1.", Kind::channel}, {"conv.", Kind::spatial}}};
  for (const auto& [layer, kind] : others) {
    if (keys::has_prefix(weights, mixer + layer)) return kind;
  }
  return Kind::attention;
}

SemanticFusionConfig fusion_config(const StateDict& weights, const std::string& prefix, int64_t stride) {
  const std::string blocks = prefix + "transformer_blocks.", asking = prefix + "proj_in.weight";
  return {.kind = fusion_kind(weights, blocks + "0.attn2."),
          .channels = keys::extent(weights, asking, 1),
          .stride = stride,
          .heads = 1,
          .head_width = keys::extent(weights, asking, 0),
          .depth = static_cast<int64_t>(keys::children(weights, blocks).size())};
}

std::shared_ptr<SemanticExtractor> semantics_of_file(const StateDict& file) {
  const StateDict used = keys::below(file, semantics_prefix);
  if (used.empty()) {
    throw Error(
        "this Se-RRDB comes without the network whose semantics it looks at (no key begins with semantics.): "
        "sr-train --export writes both");
  }
  try {
    return make_semantics(used);
  } catch (const Error& error) {
    throw Error(fmt::format("what Se-RRDB looks at ({}*): {}", semantics_prefix, error.what()));
  }
}

}  // namespace

bool is_se_rrdb(const StateDict& weights) { return !fused_blocks(weights).empty(); }

StateDict se_rrdb_file(const StateDict& network, const SemanticExtractor& semantics) {
  StateDict file = network;
  for (const auto& [key, tensor] : used_tensors(semantics)) file[semantics_prefix + key] = tensor;
  return file;
}

std::shared_ptr<SeRRDBNet> make_se_rrdb(const StateDict& file) {
  auto semantics = semantics_of_file(file);
  StateDict weights = file;
  std::erase_if(weights, [](const auto& entry) { return entry.first.starts_with(semantics_prefix); });
  SeRRDBConfig config;
  config.rrdb = rrdb_config(weights);
  config.blocks = keys::children(weights, "body.").back() + 1;
  config.fused = fused_blocks(weights);
  config.fusion = fusion_config(weights, fusion_prefix(config.fused.front() - 1), semantics->stride());
  auto network = std::make_shared<SeRRDBNet>(config, std::move(semantics));
  load_weights(*network, weights);
  return network;
}

}  // namespace sr
