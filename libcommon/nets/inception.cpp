#include "nets/inception.h"

#include <torch/nn/module.h>

#include "nets/feature_maps.h"
#include "nets/fill_module.h"
#include "nets/layers.h"
#include "nets/packed_conv.h"
#include "nets/resnet.h"

namespace sr {
namespace {

constexpr double kNormEpsilon = 1e-3;
constexpr size_t kBeforeAuxiliary = 7;  // Mixed_6e among the blocks

using Kernel = std::array<int64_t, 2>;

/// A convolution as checkpoints have it; it is padded by half its kernel unless it strides.
struct ConvShape {
  std::string name;
  int64_t out = 0;
  Kernel kernel = {1, 1};
  int64_t stride = 1;
};

/// Weights and bias that convolve and normalise in one.
struct Folded {
  Tensor weight, bias;
};

/// A convolution and its normalisation: `conv.weight` and the children of `bn`.
class NormalisedConv : public torch::nn::Module {
 public:
  NormalisedConv(int64_t in, const ConvShape& shape) : shape_(shape) {
    auto& conv = *register_container(*this, "conv");
    weight_ =
        conv.register_parameter("weight", torch::zeros({shape.out, in, shape.kernel[0], shape.kernel[1]}));
    norm_ = register_module("bn", std::make_shared<BatchNorm>(shape.out));
  }

  const ConvShape& shape() const { return shape_; }

  Folded folded() const {
    const Tensor factor =
        norm_->weight.to(at::kDouble) / (norm_->running_var.to(at::kDouble) + kNormEpsilon).sqrt();
    return {(weight_.to(at::kDouble) * factor.view({-1, 1, 1, 1})).to(at::kFloat),
            (norm_->bias - norm_->running_mean * factor).to(at::kFloat)};
  }

  /// For maps of side x side.
  PackedConv packed(int64_t side, bool padded = true) const {
    const auto [height, width] = shape_.kernel;
    PackedConv::Geometry geometry{.padding = {height / 2, width / 2}, .stride = shape_.stride, .relu = true};
    if (!padded || shape_.stride > 1) geometry.padding = {0, 0};
    const auto [weight, bias] = folded();
    return {weight, bias, geometry, side};
  }

 private:
  ConvShape shape_;
  Tensor weight_;
  std::shared_ptr<BatchNorm> norm_;
};

using Convs = std::vector<std::shared_ptr<NormalisedConv>>;

/// Convolutions one after another.
struct BranchShape {
  std::vector<ConvShape> convs;
  bool forked = false;  ///< the last two both read what comes before them
};

/// How a block's last branch pools: the mean of 3x3 or their maximum, then a projection; or the maximum with
/// stride 2 and no projection.
enum class Pool { mean, maximum, shrinking };

struct BlockShape {
  std::string name;
  int64_t side = 0, in = 0;
  std::vector<BranchShape> branches;
  Pool pool = Pool::mean;
  int64_t projected = 0;  ///< channels of `branch_pool`
};

constexpr Kernel kWide3 = {1, 3}, kHigh3 = {3, 1}, kWide7 = {1, 7}, kHigh7 = {7, 1}, kSquare3 = {3, 3},
                 square5 = {5, 5};

/// 35 x 35
BlockShape block_a(const std::string& name, int64_t in, int64_t projected) {
  return {name,
          35,
          in,
          {{{{"branch1x1", 64}}},
           {{{"branch5x5_1", 48}, {"branch5x5_2", 64, square5}}},
           {{{"branch3x3dbl_1", 64}, {"branch3x3dbl_2", 96, kSquare3}, {"branch3x3dbl_3", 96, kSquare3}}}},
          Pool::mean,
          projected};
}

/// To 17 x 17
BlockShape block_b() {
  return {"Mixed_6a",
          35,
          288,
          {{{{"branch3x3", 384, kSquare3, 2}}},
           {{{"branch3x3dbl_1", 64}, {"branch3x3dbl_2", 96, kSquare3}, {"branch3x3dbl_3", 96, kSquare3, 2}}}},
          Pool::shrinking,
          0};
}

/// 17 x 17; `width` channels inside the branches.
BlockShape block_c(const std::string& name, int64_t width) {
  return {name,
          17,
          768,
          {{{{"branch1x1", 192}}},
           {{{"branch7x7_1", width}, {"branch7x7_2", width, kWide7}, {"branch7x7_3", 192, kHigh7}}},
           {{{"branch7x7dbl_1", width},
             {"branch7x7dbl_2", width, kHigh7},
             {"branch7x7dbl_3", width, kWide7},
             {"branch7x7dbl_4", width, kHigh7},
             {"branch7x7dbl_5", 192, kWide7}}}},
          Pool::mean,
          192};
}

/// To 8 x 8
BlockShape block_d() {
  return {"Mixed_7a",
          17,
          768,
          {{{{"branch3x3_1", 192}, {"branch3x3_2", 320, kSquare3, 2}}},
           {{{"branch7x7x3_1", 192},
             {"branch7x7x3_2", 192, kWide7},
             {"branch7x7x3_3", 192, kHigh7},
             {"branch7x7x3_4", 192, kSquare3, 2}}}},
          Pool::shrinking,
          0};
}

/// 8 x 8
BlockShape block_e(const std::string& name, int64_t in, Pool pool) {
  return {name,
          8,
          in,
          {{{{"branch1x1", 320}}},
           {{{"branch3x3_1", 384}, {"branch3x3_2a", 384, kWide3}, {"branch3x3_2b", 384, kHigh3}}, true},
           {{{"branch3x3dbl_1", 448},
             {"branch3x3dbl_2", 384, kSquare3},
             {"branch3x3dbl_3a", 384, kWide3},
             {"branch3x3dbl_3b", 384, kHigh3}},
            true}},
          pool,
          192};
}

std::vector<BlockShape> block_shapes() {
  return {block_a("Mixed_5b", 192, 32),
          block_a("Mixed_5c", 256, 64),
          block_a("Mixed_5d", 288, 64),
          block_b(),
          block_c("Mixed_6b", 128),
          block_c("Mixed_6c", 160),
          block_c("Mixed_6d", 160),
          block_c("Mixed_6e", 192),
          block_d(),
          block_e("Mixed_7b", 1280, Pool::mean),
          block_e("Mixed_7c", 2048, Pool::maximum)};
}

Tensor shrunk(const Tensor& map) { return at::max_pool2d(map, {3, 3}, {2, 2}); }

/// The mean of the 3x3 places around each, of those that there are.
Tensor smoothed(const Tensor& map) {
  return at::avg_pool2d(map, {3, 3}, {1, 1}, {1, 1}, /*ceil_mode=*/false, /*count_include_pad=*/false);
}

}  // namespace

// --- blocks --------------------------------------------------------------------------------------

/// Branches side by side, whose answers are stacked. What is 1x1 and reads the block's input runs as one
/// convolution; the projection of means is among them, since a mean of projections is the projection of the
/// mean and has fewer channels to average.
class InceptionBlock {
 public:
  /// Registers its convolutions with `parent`, under its name, to be filled.
  InceptionBlock(torch::nn::Module& parent, BlockShape shape);
  /// Packs what was filled in, and keeps nothing else.
  void pack();
  Tensor forward(const Tensor& map) const;

 private:
  struct Branch {
    Convs convs;
    bool forked = false;
    int64_t shared = 0;             ///< channels that it takes of the shared convolution; 0: reads the input
    std::vector<PackedConv> steps;  ///< the others
  };
  void add_branch(torch::nn::Module& folder, const BranchShape& shape);
  void run_branch(const Branch& branch, Tensor map, std::vector<Tensor>& found) const;

  BlockShape shape_;
  std::vector<Branch> branches_;
  std::shared_ptr<NormalisedConv> projection_;
  PackedConv shared_, projecting_;
};

InceptionBlock::InceptionBlock(torch::nn::Module& parent, BlockShape shape) : shape_(std::move(shape)) {
  auto& folder = *register_container(parent, shape_.name);
  for (const BranchShape& branch : shape_.branches) add_branch(folder, branch);
  if (shape_.projected == 0) return;
  projection_ = folder.register_module(
      "branch_pool", std::make_shared<NormalisedConv>(shape_.in, ConvShape{"branch_pool", shape_.projected}));
}

void InceptionBlock::add_branch(torch::nn::Module& folder, const BranchShape& shape) {
  Branch branch{.convs = {}, .forked = shape.forked, .shared = 0, .steps = {}};
  int64_t in = shape_.in;
  for (size_t i = 0; i < shape.convs.size(); ++i) {
    const ConvShape& conv = shape.convs[i];
    const bool beside = shape.forked && i + 1 == shape.convs.size();
    branch.convs.push_back(folder.register_module(
        conv.name, std::make_shared<NormalisedConv>(beside ? shape.convs[i - 2].out : in, conv)));
    in = conv.out;
  }
  if (shape.convs.front().kernel == Kernel{1, 1}) branch.shared = shape.convs.front().out;
  branches_.push_back(std::move(branch));
}

void InceptionBlock::pack() {
  std::vector<Tensor> weights, biases;
  const auto share = [&](const NormalisedConv& conv) {
    const auto [weight, bias] = conv.folded();
    weights.push_back(weight);
    biases.push_back(bias);
  };
  for (Branch& branch : branches_) {
    if (branch.shared > 0) share(*branch.convs.front());
    for (size_t i = branch.shared > 0 ? 1 : 0; i < branch.convs.size(); ++i)
      branch.steps.push_back(branch.convs[i]->packed(shape_.side));
    branch.convs.clear();
  }
  if (shape_.pool == Pool::mean) share(*projection_);
  if (shape_.pool == Pool::maximum) projecting_ = projection_->packed(shape_.side);
  projection_.reset();
  shared_ = PackedConv(at::cat(weights), at::cat(biases), {.padding = {0, 0}, .stride = 1, .relu = false},
                       shape_.side);
}

void InceptionBlock::run_branch(const Branch& branch, Tensor map, std::vector<Tensor>& found) const {
  const size_t chain = branch.steps.size() - (branch.forked ? 2 : 0);
  for (size_t i = 0; i < chain; ++i) map = branch.steps[i](map);
  if (!branch.forked) found.push_back(map);
  for (size_t i = chain; i < branch.steps.size(); ++i) found.push_back(branch.steps[i](map));
}

Tensor InceptionBlock::forward(const Tensor& map) const {
  const Tensor shared = shared_(map);
  std::vector<Tensor> found;
  int64_t begin = 0;
  for (const Branch& branch : branches_) {
    run_branch(branch, branch.shared > 0 ? at::relu(shared.narrow(1, begin, branch.shared)) : map, found);
    begin += branch.shared;
  }
  if (shape_.pool == Pool::mean) {
    found.push_back(relu_in_place(smoothed(channels_last(shared.narrow(1, begin, shape_.projected)))));
  } else if (shape_.pool == Pool::maximum) {
    found.push_back(projecting_(at::max_pool2d(map, {3, 3}, {1, 1}, {1, 1})));
  } else {
    found.push_back(shrunk(map));
  }
  return at::cat(found, 1);
}

// --- stem ----------------------------------------------------------------------------------------

/// What comes before the blocks.
class InceptionStem {
 public:
  explicit InceptionStem(torch::nn::Module& parent) {
    const auto add = [&](const char* name, int64_t in, int64_t out, int64_t kernel, int64_t stride = 1) {
      const ConvShape shape{name, out, {kernel, kernel}, stride};
      convs_.push_back(parent.register_module(name, std::make_shared<NormalisedConv>(in, shape)));
    };
    add("Conv2d_1a_3x3", 3, 32, 3, 2);
    add("Conv2d_2a_3x3", 32, 32, 3);
    add("Conv2d_2b_3x3", 32, 64, 3);
    add("Conv2d_3b_1x1", 64, 80, 1);
    add("Conv2d_4a_3x3", 80, 192, 3);
  }

  void pack() {
    constexpr std::array<int64_t, 5> sides = {299, 149, 147, 73, 73};
    for (size_t i = 0; i < convs_.size(); ++i)
      steps_.push_back(convs_[i]->packed(sides.at(i), /*padded=*/convs_[i]->shape().name == "Conv2d_2b_3x3"));
    convs_.clear();
  }

  /// After the first and the second max pool.
  std::array<Tensor, 2> forward(const Tensor& pictures) const {
    const Tensor first = shrunk(steps_[2](steps_[1](steps_[0](channels_last(pictures)))));
    return {first, shrunk(steps_[4](steps_[3](first)))};
  }

 private:
  Convs convs_;
  std::vector<PackedConv> steps_;
};

// --- the network ---------------------------------------------------------------------------------

Inception::Inception(const StateDict& weights) {
  torch::nn::Module names("Inception v3");
  stem_ = std::make_shared<InceptionStem>(names);
  for (const BlockShape& shape : block_shapes())
    blocks_.push_back(std::make_shared<InceptionBlock>(names, shape));
  fill_module(names, weights, spare_in_inception);
  stem_->pack();
  for (const auto& block : blocks_) block->pack();
}

std::array<Tensor, 4> Inception::maps(const Tensor& pictures) const {
  const auto [first, second] = stem_->forward(pictures);
  Tensor map = second, third;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    map = blocks_[i]->forward(map);
    if (i == kBeforeAuxiliary) third = map;
  }
  return {first, second, third, map};
}

Tensor Inception::pooled(const Tensor& pictures) const { return maps(pictures)[3].mean({2, 3}); }

bool spare_in_inception(const std::string& key) {
  return key.ends_with("num_batches_tracked") || key.starts_with("fc.") || key.starts_with("AuxLogits.");
}

}  // namespace sr
