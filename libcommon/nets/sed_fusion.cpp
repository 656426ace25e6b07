#include "nets/sed_fusion.h"

#include <array>
#include <fmt/format.h>
#include <utility>

#include "core/error.h"
#include "nets/draw.h"
#include "nets/keys.h"
#include "nets/sed_mixers.h"
#include "nets/transformer.h"

namespace sr {
namespace {

constexpr int64_t kGroups = 32, kFeedForwardRatio = 4;
constexpr double kGroupNormEpsilon = 1e-6, kLayerNormEpsilon = 1e-5;

int64_t ratio(int64_t larger, int64_t smaller) {
  if (larger % smaller == 0) return larger / smaller;
  throw Error(fmt::format("SeD can't bring semantics and features together: one stride is {}, the other {}",
                          larger, smaller));
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

}  // namespace

// --- attention -------------------------------------------------------------------------------------

SedAttention::SedAttention(int64_t heads, int64_t head_width) : heads_(heads) {
  const int64_t width = heads * head_width;
  const auto linear = [&](const char* name) {
    return register_module(name, std::make_shared<Linear>(width, width, /*with_bias=*/false));
  };
  to_q_ = linear("to_q");
  to_k_ = linear("to_k");
  to_v_ = linear("to_v");
  to_out_ = register_container(*this, "to_out")->register_module("0", std::make_shared<Linear>(width, width));
}

Tensor SedAttention::forward(const Tensor& queries, const Tensor& memory) const {
  return to_out_->forward(
      attention(to_q_->forward(queries), to_k_->forward(memory), to_v_->forward(memory), heads_));
}

// --- block -----------------------------------------------------------------------------------------

SedBlock::SedBlock(const SemanticFusionConfig& config) {
  const int64_t width = config.heads * config.head_width, hidden = kFeedForwardRatio * width;
  const auto norm = [&](const char* name) {
    return register_module(name, std::make_shared<LayerNorm>(width, kLayerNormEpsilon));
  };
  attn1_ = register_module("attn1", std::make_shared<SedAttention>(config.heads, config.head_width));
  const auto net = register_container(*register_container(*this, "ff"), "net");
  ff_in_ =
      register_container(*net, "0")->register_module("proj", std::make_shared<Linear>(width, 2 * hidden));
  ff_out_ = net->register_module("2", std::make_shared<Linear>(hidden, width));
  attn2_ = register_module("attn2", make_mixer(config));
  norm1_ = norm("norm1");
  norm2_ = norm("norm2");
  norm3_ = norm("norm3");
}

Tensor SedBlock::forward(const Tensor& tokens, at::IntArrayRef grid, const Tensor& features) const {
  const Tensor own = norm1_->forward(tokens);
  const Tensor mixed = attn2_->forward(norm2_->forward(attn1_->forward(own, own)), grid, features);
  const auto halves = ff_in_->forward(norm3_->forward(mixed)).chunk(2, -1);  // value, gate
  return ff_out_->forward(halves[0] * at::gelu(halves[1]));
}

// --- fusion ----------------------------------------------------------------------------------------

SemanticFusion::SemanticFusion(const SemanticFusionConfig& config, const FusionPlace& place)
    : enlargement_(config.stride > place.stride ? ratio(config.stride, place.stride) : 1),
      reduction_(place.stride > config.stride ? ratio(place.stride, config.stride) : 1),
      out_channels_(config.channels / (enlargement_ * enlargement_)) {
  if (config.channels % kGroups != 0 || config.channels % (enlargement_ * enlargement_) != 0) {
    throw Error(
        fmt::format("SeD can't group {} channels of semantics by {}, or not spread them over {}x{} pixels",
                    config.channels, kGroups, enlargement_, enlargement_));
  }
  const int64_t width = config.heads * config.head_width;
  const auto conv = [&](const char* name, int64_t in, int64_t out, const ConvOptions& options) {
    return register_module(name, std::make_shared<Conv2d>(in, out, options));
  };
  norm_ = register_module("norm", std::make_shared<GroupNorm>(kGroups, config.channels, kGroupNormEpsilon));
  proj_in_ = conv("proj_in", config.channels, width, pointwise());
  proj_context_ = conv("proj_context", place.channels, width, pointwise());
  for (int64_t i = 0; i < config.depth; ++i) blocks_.push_back(std::make_shared<SedBlock>(config));
  register_list(*this, "transformer_blocks", blocks_);
  proj_out_ = conv("proj_out", width, config.channels, pointwise());
  conv_out_ = conv("conv_out", out_channels_, out_channels_, {.kernel = place.one_smaller ? 4 : 3});
}

Tensor SemanticFusion::at_grid(const Tensor& semantics) const {
  if (reduction_ > 1) return at::avg_pool2d(semantics, {reduction_, reduction_});
  return semantics.clone();  // the norm may overwrite it, and other blocks want the same semantics
}

Tensor SemanticFusion::unfolded(const Tensor& map) const {
  if (enlargement_ == 1) return map;
  return at::pixel_shuffle(map.transpose(2, 3), enlargement_).transpose(2, 3);
}

Tensor SemanticFusion::forward(const Tensor& semantics, const Tensor& features) const {
  const Tensor asking = proj_in_->forward(norm_->forward(at_grid(semantics)));
  const Tensor answering = proj_context_->forward(features);
  const auto grid = asking.sizes().slice(2);
  Tensor tokens = asking.flatten(2).transpose(1, 2);
  for (const auto& block : blocks_) tokens = block->forward(tokens, grid, answering);
  const Tensor map = tokens.transpose(1, 2).unflatten(2, grid);
  return conv_out_->forward(unfolded(proj_out_->forward(map)));
}

void SemanticFusion::zero_projection() {
  const at::NoGradGuard no_grad;
  proj_out_->weight.zero_();
  proj_out_->bias.zero_();
}

void draw_with_fusion(torch::nn::Module& module, const at::Generator& generator) {
  draw_defaults(module, generator);
  for (const auto& child : module.modules(/*include_self=*/false)) {
    if (auto* fusion = dynamic_cast<SemanticFusion*>(child.get())) fusion->zero_projection();
  }
}

SemanticFusionConfig detect_fusion(const StateDict& weights, const std::string& prefix) {
  const std::string blocks = prefix + "transformer_blocks.", asking = prefix + "proj_in.weight";
  SemanticFusionConfig fusion;
  fusion.kind = fusion_kind(weights, blocks + "0.attn2.");
  fusion.channels = keys::extent(weights, asking, 1);
  fusion.head_width = keys::extent(weights, asking, 0);
  fusion.depth = keys::count(weights, blocks);
  return fusion;
}

}  // namespace sr
