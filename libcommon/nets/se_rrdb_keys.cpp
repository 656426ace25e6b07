// What the file of a Se-RRDB holds, and the network behind it.

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/keys.h"
#include "nets/se_rrdb.h"

namespace sr {
namespace {

constexpr const char* kSemanticsPrefix = "semantics.";

std::string fusion_prefix(int64_t block) { return fmt::format("body.{}.att.", block); }

/// Blocks that fuse, counted from 1.
std::vector<int64_t> fused_blocks(const StateDict& weights) {
  std::vector<int64_t> fused;
  const int64_t blocks = keys::count(weights, "body.");
  for (int64_t block = 0; block < blocks; ++block) {
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
    if (const auto config = detect_rrdbnet(weights)) return *config;
    throw Error("this Se-RRDB's keys beside its fusion blocks are no whole RRDBNet's");
  }
  throw Error("this Se-RRDB has fusion blocks only, and no RRDB");
}

std::shared_ptr<SemanticExtractor> semantics_of_file(const StateDict& file) {
  const StateDict used = keys::below(file, kSemanticsPrefix);
  if (used.empty()) {
    throw Error(
        "this Se-RRDB comes without the network whose semantics it looks at (no key begins with semantics.): "
        "sr-train --export writes both");
  }
  try {
    return make_semantics(used);
  } catch (const Error& error) {
    throw Error(fmt::format("what Se-RRDB looks at ({}*): {}", kSemanticsPrefix, error.what()));
  }
}

}  // namespace

bool is_se_rrdb(const StateDict& weights) {
  return std::ranges::any_of(keys::children(weights, "body."),
                             [&](int64_t block) { return keys::has_prefix(weights, fusion_prefix(block)); });
}

StateDict se_rrdb_file(const StateDict& network, const SemanticExtractor& semantics) {
  StateDict file = network;
  for (const auto& [key, tensor] : used_tensors(semantics)) file[kSemanticsPrefix + key] = tensor;
  return file;
}

std::shared_ptr<SeRRDBNet> make_se_rrdb(const StateDict& file) {
  auto semantics = semantics_of_file(file);
  StateDict weights = file;
  std::erase_if(weights, [](const auto& entry) { return entry.first.starts_with(kSemanticsPrefix); });
  SeRRDBConfig config;
  config.rrdb = rrdb_config(weights);
  config.blocks = keys::count(weights, "body.");
  config.fused = fused_blocks(weights);
  config.fusion = detect_fusion(weights, fusion_prefix(config.fused.front() - 1));
  config.fusion.stride = semantics->stride();
  auto network = std::make_shared<SeRRDBNet>(config, std::move(semantics));
  load_weights(*network, weights);
  return network;
}

}  // namespace sr
