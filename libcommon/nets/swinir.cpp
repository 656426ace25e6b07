#include "nets/swinir.h"

#include <algorithm>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/layers.h"
#include "nets/receptive.h"

namespace sr {
namespace {

using Upsampler = SwinIRConfig::Upsampler;

constexpr int64_t kTailFeatures = 64;  // whatever the embedding
constexpr double kLeakySlope = 0.2;
constexpr double kBeforeSlope = 0.01;   // of conv_before_upsample: the official code leaves out its slope
constexpr size_t kRememberedPlans = 8;  // whole tiles, edge tiles, corners

/// Extends an axis to `size` by reflection; over and over where the image is smaller than what it lacks.
Tensor reflected(Tensor x, int64_t height, int64_t width) {
  while (x.size(2) < height || x.size(3) < width) {
    const int64_t below = std::min(height - x.size(2), x.size(2) - 1),
                  right = std::min(width - x.size(3), x.size(3) - 1);
    if (x.size(2) == 1 || x.size(3) == 1) {  // one pixel has no reflection: it repeats
      x = at::replication_pad2d(x, {0, x.size(3) == 1 ? width - 1 : 0, 0, x.size(2) == 1 ? height - 1 : 0});
    } else {
      x = at::reflection_pad2d(x, {0, right, 0, below});
    }
  }
  return x;
}

int64_t rounded_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

Tensor channel_mean(const SwinIRConfig& config, const Tensor& like) {
  if (config.channels != 3) return at::zeros({1, 1, 1, 1}, like.options());
  return at::tensor({0.4488, 0.4371, 0.4040}, like.options()).view({1, 3, 1, 1});
}

}  // namespace

int64_t SwinIRConfig::effective_window() const {
  return std::min(window, std::min(image_size[0], image_size[1]) / patch_size);
}

int64_t SwinIRConfig::shift() const {
  return std::min(image_size[0], image_size[1]) / patch_size <= window ? 0 : window / 2;
}

int64_t SwinIRConfig::layer_scale() const {
  switch (upsampler) {
    case Upsampler::none: return 1;
    case Upsampler::nearest_conv: return scale == 4 ? 4 : 2;
    case Upsampler::shuffle:
    case Upsampler::shuffle_direct: break;
  }
  return scale;
}

SwinLayerConfig SwinIRConfig::layer(size_t group, int64_t index) const {
  return {.features = embedding,
          .heads = heads.at(group),
          .window = effective_window(),
          .mlp_features = mlp_features(),
          .shifted = index % 2 == 1,
          .qkv_bias = qkv_bias,
          .qk_scale = qk_scale,
          .drop_rate = drop_rate,
          .attention_drop_rate = attention_drop_rate,
          .path_drop = rising_path_drop(path_drop_rate, depths, group, index)};
}

SwinIR::SwinIR(const SwinIRConfig& config) : config_(config) {
  check();
  register_head();
  for (size_t i = 0; i < config.depths.size(); ++i) layers_.push_back(std::make_shared<SwinGroup>(config, i));
  register_list(*this, "layers", layers_);
  norm_ = register_module("norm", std::make_shared<LayerNorm>(config.embedding, 1e-5));
  conv_after_body_ = register_residual_convs(*this, "conv_after_body", config);
  register_tail();
}

void SwinIR::check() const {
  if (config_.depths.size() != config_.heads.size()) {
    throw Error(fmt::format("SwinIR with {} groups needs as many numbers of heads, not {}",
                            config_.depths.size(), config_.heads.size()));
  }
  for (const int64_t heads : config_.heads) {
    if (heads < 1 || config_.embedding % heads != 0) {
      throw Error(fmt::format("SwinIR cannot divide {} features among {} heads", config_.embedding, heads));
    }
  }
  if (config_.effective_window() < 1) throw Error("SwinIR needs windows of at least one pixel");
}

void SwinIR::register_head() {
  conv_first_ = register_module("conv_first", std::make_shared<Conv2d>(config_.channels, config_.embedding));
  if (config_.patch_norm) {
    const auto patch = register_container(*this, "patch_embed");
    patch_norm_ = patch->register_module("norm", std::make_shared<LayerNorm>(config_.embedding, 1e-5));
  }
  if (config_.position_embedding) {
    const int64_t patches =
        (config_.image_size[0] / config_.patch_size) * (config_.image_size[1] / config_.patch_size);
    absolute_pos_embed_ =
        register_parameter("absolute_pos_embed", torch::zeros({1, patches, config_.embedding}));
  }
}

void SwinIR::register_tail() {
  const auto conv = [this](const char* name, int64_t in, int64_t out) {
    return register_module(name, std::make_shared<Conv2d>(in, out));
  };
  const auto shuffler = [this](int64_t in, int64_t out, std::vector<int64_t> factors) {
    return register_module("upsample", std::make_shared<ShuffleUpsampler>(in, out, std::move(factors)));
  };
  const int64_t embedding = config_.embedding;
  if (config_.upsampler == Upsampler::shuffle_direct) {
    upsample_ = shuffler(embedding, config_.channels, {config_.scale});
    return;
  }
  conv_last_ =
      conv("conv_last", config_.upsampler == Upsampler::none ? embedding : kTailFeatures, config_.channels);
  if (config_.upsampler == Upsampler::none) return;
  conv_before_upsample_ = std::make_shared<Conv2d>(embedding, kTailFeatures);
  register_list<Conv2d>(*this, "conv_before_upsample", {conv_before_upsample_});
  if (config_.upsampler == Upsampler::shuffle) {
    upsample_ = shuffler(kTailFeatures, kTailFeatures, shuffle_factors(config_.scale));
    return;
  }
  conv_up1_ = conv("conv_up1", kTailFeatures, kTailFeatures);
  if (config_.scale == 4) conv_up2_ = conv("conv_up2", kTailFeatures, kTailFeatures);
  conv_hr_ = conv("conv_hr", kTailFeatures, kTailFeatures);
}

WindowPlan SwinIR::plan(int64_t height, int64_t width, const Tensor& like) {
  const std::lock_guard lock(plan_mutex_);
  for (size_t i = 0; i < plans_.size(); ++i) {
    if (plan_sizes_[i] == std::array{height, width} && plans_[i].positions.device() == like.device())
      return plans_[i];
  }
  const c10::InferenceMode off(false);  // a plan first made while validating must serve training too
  const int64_t side = config_.effective_window(), shift = config_.shift();
  WindowPlan plan = plan_windows(height, width, side, shift);
  plan.positions = plan.positions.to(like.device());
  if (shift > 0) plan.mask = plan.mask.to(like.options());
  if (plans_.size() == kRememberedPlans) {
    plans_.erase(plans_.begin());
    plan_sizes_.erase(plan_sizes_.begin());
  }
  plans_.push_back(plan);
  plan_sizes_.push_back({height, width});
  return plan;
}

Tensor SwinIR::deep_features(const Tensor& shallow) {
  const int64_t height = shallow.size(2), width = shallow.size(3);
  const WindowPlan windows = plan(height, width, shallow);
  Tensor x = shallow.permute({0, 2, 3, 1});
  if (patch_norm_) x = patch_norm_->forward(x);
  if (config_.position_embedding) {
    if (absolute_pos_embed_.size(1) != height * width) {
      throw Error(fmt::format("this SwinIR has a position embedding and takes images of {}x{} only",
                              config_.image_size[1], config_.image_size[0]));
    }
    x = x + absolute_pos_embed_.view({1, height, width, -1});
  }
  x = at::dropout(x, config_.drop_rate, is_training());
  for (const auto& group : layers_)
    x = run([group, windows](const Tensor& in) { return group->forward(in, windows); }, x);
  return residual_convs(conv_after_body_, norm_->forward(x).permute({0, 3, 1, 2}));
}

Tensor SwinIR::reconstruct_nearest(const Tensor& features) const {
  Tensor x = leaky_relu_in_place(conv_up1_->forward(upsample_nearest(features, 2)), kLeakySlope);
  if (conv_up2_) x = leaky_relu_in_place(conv_up2_->forward(upsample_nearest(x, 2)), kLeakySlope);
  return conv_last_->forward(leaky_relu_in_place(conv_hr_->forward(x), kLeakySlope));
}

Tensor SwinIR::reconstruct(const Tensor& features) const {
  switch (config_.upsampler) {
    case Upsampler::none: return conv_last_->forward(features);
    case Upsampler::shuffle_direct: return upsample_->forward(features);
    case Upsampler::shuffle:
    case Upsampler::nearest_conv: break;
  }
  const Tensor x = leaky_relu_in_place(conv_before_upsample_->forward(features), kBeforeSlope);
  if (config_.upsampler == Upsampler::shuffle) return conv_last_->forward(upsample_->forward(x));
  return reconstruct_nearest(x);
}

Tensor SwinIR::forward(const Tensor& input) {
  const int64_t height = input.size(2), width = input.size(3);
  const Tensor mean = channel_mean(config_, input);
  const Tensor padded =
      reflected(input, rounded_up(height, config_.window), rounded_up(width, config_.window));
  const Tensor normalised = (padded - mean) * config_.image_range;
  const Tensor shallow = conv_first_->forward(normalised).to(input.scalar_type());
  Tensor x = reconstruct(shallow + deep_features(shallow)).to(input.scalar_type());
  if (config_.upsampler == Upsampler::none) x = normalised + x;
  x = x / config_.image_range + mean;
  return x.slice(2, 0, height * config_.scale).slice(3, 0, width * config_.scale);
}

bool SwinIR::recomputes(const std::string& key) const { return computed_of_windows(key); }

NetworkShape SwinIR::shape() const {
  ReceptiveRadius radius;
  if (config_.upsampler != Upsampler::shuffle_direct) radius.conv();  // conv_last
  if (config_.upsampler == Upsampler::nearest_conv) radius.conv();    // conv_hr
  const auto factors = upsample_ ? upsample_->factors : shuffle_factors(config_.layer_scale());
  for (auto factor = factors.rbegin(); factor != factors.rend(); ++factor) {
    if (config_.upsampler == Upsampler::nearest_conv) radius.conv().enlarge(*factor);
    if (upsample_) radius.enlarge(*factor).conv();
  }
  if (conv_before_upsample_) radius.conv();
  const int64_t connection = config_.three_convs ? 2 : 1, side = config_.effective_window();
  radius.conv(3, connection);
  for (const int64_t depth : config_.depths) {
    // The last layer sees its window; each before it, half a window further, since shifted windows
    // interleave.
    const int64_t more = config_.shift() > 0 ? (depth - 1) * ((side + 1) / 2) : 0;
    radius.conv(3, connection).reach(depth > 0 ? side - 1 + more : 0);
  }
  radius.conv();
  return {.family = "SwinIR",
          .in_channels = static_cast<int>(config_.channels),
          .out_channels = static_cast<int>(config_.channels),
          .scale = static_cast<int>(config_.layer_scale()),
          .multiple = 1,
          .alignment = static_cast<int>(side),
          .receptive_radius = radius.pixels(),
          .convolutional = false,
          .activations = 12.0 * static_cast<double>(config_.embedding +
                                                    16 * config_.layer_scale() * config_.layer_scale())};
}

}  // namespace sr
