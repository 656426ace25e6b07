#include "nets/feat_d.h"

#include <fmt/format.h>

#include "core/error.h"
#include "nets/fill_module.h"
#include "nets/keys.h"

namespace sr {
namespace {

constexpr double kLeakySlope = 0.2, kPromptDeviation = 0.02;
constexpr size_t kHeadLayers = 4;

Tensor resized(const Tensor& x, at::IntArrayRef size) {
  return at::upsample_bilinear2d(x, size, /*align_corners=*/false);
}

}  // namespace

// --- Feat-D ----------------------------------------------------------------------------------------

FeatDUpsampling::FeatDUpsampling(int64_t in, int64_t out)
    : conv1(register_module("conv1", std::make_shared<SpectralConv2d>(in, out))),
      conv2(register_module("conv2", std::make_shared<SpectralConv2d>(out, out))) {}

Tensor FeatDUpsampling::forward(const Tensor& input, at::IntArrayRef size) {
  return conv2->forward(resized(leaky_relu_in_place(conv1->forward(input), kLeakySlope), size));
}

FeatD::FeatD(const FeatDConfig& config) : config_(config) {
  const auto [first, second, third] = config.channels;
  const int64_t width = config.width;
  const auto up = [&](size_t level, int64_t in, int64_t out) {
    up_[level - 1] = register_module(fmt::format("up{}", level), std::make_shared<FeatDUpsampling>(in, out));
  };
  up(3, third, 4 * width);
  up(2, 4 * width + second, 2 * width);
  up(1, 2 * width + first, width);
  conv3_ = register_module("conv3", std::make_shared<SpectralConv2d>(4 * width, 4 * width));
  conv2_ = register_module("conv2", std::make_shared<SpectralConv2d>(2 * width, 2 * width));
  for (size_t i = 0; i < kHeadLayers; ++i)
    head_.push_back(std::make_shared<SpectralConv2d>(width, i + 1 < kHeadLayers ? width : 1));
  register_list(*this, "head", head_);
}

Tensor FeatD::features(const std::array<Tensor, 3>& levels) {
  const auto joined = [](const Tensor& coarse, const std::shared_ptr<SpectralConv2d>& conv,
                         const Tensor& fine) {
    return at::cat({conv->forward(leaky_relu_in_place(coarse, kLeakySlope)), fine}, 1);
  };
  const auto& [fine, middle, coarse] = levels;
  Tensor x = up_[2]->forward(coarse, middle.sizes().slice(2));
  x = up_[1]->forward(joined(x, conv3_, middle), fine.sizes().slice(2));
  x = up_[0]->forward(joined(x, conv2_, fine), {2 * fine.size(2), 2 * fine.size(3)});
  for (size_t i = 0; i + 1 < head_.size(); ++i) x = head_[i]->forward(leaky_relu_in_place(x, kLeakySlope));
  return leaky_relu_in_place(x, kLeakySlope);
}

Tensor FeatD::forward(const std::array<Tensor, 3>& levels) { return head_.back()->forward(features(levels)); }

std::vector<std::shared_ptr<SpectralConv2d>> FeatD::convs() const {
  std::vector<std::shared_ptr<SpectralConv2d>> found;
  for (const auto& module : modules(/*include_self=*/false)) {
    if (auto conv = std::dynamic_pointer_cast<SpectralConv2d>(module)) found.push_back(std::move(conv));
  }
  return found;
}

void FeatD::draw(const std::optional<at::Generator>& generator) {
  for (const auto& conv : convs()) conv->draw(generator);
}

void FeatD::fold() {
  for (const auto& conv : convs()) conv->fold();
}

// --- TG-D ------------------------------------------------------------------------------------------

PromptPairs::PromptPairs(const PromptPairsConfig& config) {
  const std::array<int64_t, 3> shape{config.pairs, config.tokens, config.width};
  positive = register_parameter("positive", torch::zeros(shape));
  negative = register_parameter("negative", torch::zeros(shape));
}

Tensor PromptPairs::texts(const ClipText& text) const {
  const Tensor learnt = at::stack({positive, negative}, 1).flatten(0, 1);  // [2N,L,width]
  const auto token = [&](int64_t number) {
    const Tensor one =
        at::full({learnt.size(0), 1}, number, learnt.options().dtype(at::kLong).requires_grad(false));
    return text.embed(one);
  };
  const auto& config = text.text_config();
  if (learnt.size(2) != config.width) {
    throw Error(fmt::format("the learnt prompts are for a text tower of width {}, not {}", learnt.size(2),
                            config.width));
  }
  return text.encode_embedded(at::cat({token(config.start_token()), learnt, token(config.end_token())}, 1));
}

void PromptPairs::draw(const std::optional<at::Generator>& generator) {
  const at::NoGradGuard no_grad;
  const auto source = generator ? *generator : at::Generator();
  positive.normal_(0, kPromptDeviation, source);
  negative.normal_(0, kPromptDeviation, source);
}

// --- both ------------------------------------------------------------------------------------------

SfdDiscriminators::SfdDiscriminators(const FeatDConfig& feat, const PromptPairsConfig& prompts)
    : feat_d(register_module("feat_d", std::make_shared<FeatD>(feat))),
      tg_d(register_module("tg_d", std::make_shared<PromptPairs>(prompts))) {}

std::shared_ptr<SfdDiscriminators> make_sfd(const StateDict& checkpoint) {
  const auto extent = [&](const std::string& key, int64_t axis) {
    return keys::extent(checkpoint, key, axis);
  };
  FeatDConfig feat;
  feat.width = extent("feat_d.head.0.weight_orig", 0);
  feat.channels = {extent("feat_d.up1.conv1.weight_orig", 1) - 2 * feat.width,
                   extent("feat_d.up2.conv1.weight_orig", 1) - 4 * feat.width,
                   extent("feat_d.up3.conv1.weight_orig", 1)};
  for (const int64_t channels : feat.channels) {
    if (channels < 1)
      throw Error("the weights are no discriminators of SFD: Feat-D's layers don't fit each other");
  }
  const PromptPairsConfig prompts{.pairs = extent("tg_d.positive", 0),
                                  .tokens = extent("tg_d.positive", 1),
                                  .width = extent("tg_d.positive", 2)};
  auto sfd = std::make_shared<SfdDiscriminators>(feat, prompts);
  fill_module(*sfd, checkpoint);
  return sfd;
}

}  // namespace sr
