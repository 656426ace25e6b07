#include "nets/se_rrdb.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/draw.h"

namespace sr {
namespace {

constexpr double kResidualScale = 0.2;

/// The RRDBs alone.
RRDBNetConfig plain_part(const SeRRDBConfig& config) {
  RRDBNetConfig rrdb = config.rrdb;
  rrdb.blocks = config.blocks - static_cast<int64_t>(config.fused.size());
  return rrdb;
}

/// Pixels that are missing to a multiple.
int64_t rest(int64_t side, int64_t multiple) { return (multiple - side % multiple) % multiple; }

}  // namespace

class SeRRDBNet::FusionBlock : public torch::nn::Module {
 public:
  FusionBlock(const SemanticFusionConfig& config, int64_t features, int64_t stride)
      : att_(register_module("att", std::make_shared<SemanticFusion>(
                                        config, FusionPlace{.channels = features, .stride = stride}))),
        conv_(register_module("conv", std::make_shared<Conv2d>(features + att_->out_channels(), features))) {}

  Tensor forward(const Tensor& features, const Tensor& semantics) const {
    const Tensor map = att_->forward(semantics, features)
                           .slice(2, 0, features.size(2))
                           .slice(3, 0, features.size(3))
                           .to(features.scalar_type());
    return at::add(features, conv_->forward(at::cat({features, map}, 1)), kResidualScale);
  }

 private:
  std::shared_ptr<SemanticFusion> att_;
  std::shared_ptr<Conv2d> conv_;
};

SeRRDBNet::SeRRDBNet(const SeRRDBConfig& config, std::shared_ptr<SemanticExtractor> semantics)
    : config_(config), semantics_(std::move(semantics)) {
  if (semantics_->channels() != config.fusion.channels || semantics_->stride() != config.fusion.stride) {
    throw Error(fmt::format("Se-RRDB fuses with {} channels of semantics at 1/{}, and these are {} at 1/{}",
                            config.fusion.channels, config.fusion.stride, semantics_->channels(),
                            semantics_->stride()));
  }
  semantics_->eval();
  rrdb_ = std::make_shared<RRDBNet>(plain_part(config));
  for (const auto& child : rrdb_->named_children()) {
    if (child.key() != "body") register_module(child.key(), child.value());
  }
  std::vector<std::shared_ptr<torch::nn::Module>> blocks(rrdb_->body.begin(), rrdb_->body.end());
  for (const int64_t place : config.fused) {
    if (place < 1 || place > static_cast<int64_t>(blocks.size()) + 1)
      throw Error(fmt::format("Se-RRDB of {} blocks has none with number {}", config.blocks, place));
    fusions_.push_back(
        std::make_shared<FusionBlock>(config.fusion, config.rrdb.features, config.rrdb.unshuffle));
    blocks.insert(blocks.begin() + place - 1, fusions_.back());
  }
  register_list(*this, "body", blocks);
}

Tensor SeRRDBNet::semantics_of(const Tensor& image) const {
  const at::NoGradGuard no_grad;
  const int64_t below = rest(image.size(2), config_.fusion.stride),
                right = rest(image.size(3), config_.fusion.stride);
  return semantics_->forward(at::replication_pad2d(image, {0, right, 0, below}));
}

Tensor SeRRDBNet::forward(const Tensor& input) {
  const Tensor semantics = semantics_of(input), first = rrdb_->embed(input);
  Tensor x = first;
  auto block = rrdb_->body.begin();
  auto fusion = fusions_.begin();
  for (int64_t place = 1; place <= config_.blocks; ++place) {
    const bool fuses = std::count(config_.fused.begin(), config_.fused.end(), place) > 0;
    if (fuses) {
      x = (*fusion++)->forward(x, semantics);
    } else {
      x = run([part = *block++](const Tensor& in) { return part->forward(in); }, x);
    }
  }
  return rrdb_->reconstruct(first, x);
}

void SeRRDBNet::draw(const at::Generator& generator) {
  draw_with_fusion(*this, generator);
  for (const auto& block : rrdb_->body) block->draw(generator);
}

void SeRRDBNet::to(torch::Device device, bool non_blocking) {
  Network::to(device, non_blocking);
  semantics_->to(device, non_blocking);
}

NetworkShape SeRRDBNet::shape() const {
  NetworkShape shape = rrdb_->shape();
  shape.family = "Se-RRDB";
  shape.receptive_radius.reset();  // attention sees the whole image
  shape.convolutional = false;
  shape.alignment = static_cast<int>(std::max(config_.fusion.stride, config_.rrdb.unshuffle));  // powers of 2
  return shape;
}

}  // namespace sr
