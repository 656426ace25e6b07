#include "training/seesr_plan.h"

#include <algorithm>

#include "core/held_memory.h"
#include "nets/network.h"
#include "nets/summary.h"
#include "training/parameters.h"
#include "training/seesr_loss.h"
#include "training/seesr_parts.h"

namespace sr {
namespace {

constexpr double kFloatBytes = 4;

double numbers_of(const NamedParameters& parameters) {
  double sum = 0;
  for (const auto& [name, parameter] : parameters) sum += static_cast<double>(parameter.numel());
  return sum;
}

/// One sample of zeros.
struct Sample {
  Sample(const UnetEncoderConfig& config, std::int64_t height, std::int64_t width)
      : latents(at::zeros({1, config.in_channels, height, width})),
        sight{.pictures = at::zeros({1, 3, 8 * height, 8 * width}),
              .text = at::zeros({1, SdTokenizer::context_length, config.text_features}),
              .image_tokens = at::zeros({1, 145, config.image_features})},
        noise{.code = latents, .added = latents, .timesteps = at::zeros({1}, at::kLong)} {}

  Tensor latents;
  SeesrSight sight;
  SeesrNoise noise;
};

using Parts = std::vector<SeesrMemoryPart>;

SeesrMemoryPart sum_of(const char* name, const Parts& parts) {
  SeesrMemoryPart sum{name, 0, 0, 0};
  for (const auto& part : parts) {
    sum.bytes += part.bytes;
    sum.checkpointing_bytes += part.checkpointing_bytes;
  }
  return sum;
}

/// What is there all the time.
Parts standing_parts(const SeesrOutlines& outlines, const RamConfig& ram, const Arithmetic& arithmetic,
                     bool averages) {
  const double taught = numbers_of(trained_parameters(*outlines.unet));
  const double learning = taught + numbers_of(all_parameters(*outlines.controlnet));
  const double value_bytes = arithmetic.type == at::kFloat ? kFloatBytes : 2;
  Parts parts;
  const auto add = [&](const char* name, double numbers, double bytes_each) {
    parts.push_back({name, numbers, numbers * bytes_each, numbers * bytes_each});
  };
  const auto count = [](const torch::nn::Module& of) { return static_cast<double>(count_parameters(of)); };
  add("unet, frozen", count(*outlines.unet) - taught, value_bytes);
  add("vae", count(*outlines.vae), value_bytes);
  add("text_encoder", count(*outlines.text_encoder), value_bytes);
  add("ram", count(Ram(ram)), value_bytes);
  add("trained", learning, kFloatBytes);
  add("gradients", learning, kFloatBytes);
  add("moments", learning, 2 * kFloatBytes);
  if (averages) add("averages", learning, kFloatBytes);
  return parts;
}

SeesrMemoryPart encoding_part(const AutoencoderKl& vae, std::int64_t crop) {
  const double most = encoder_memory(vae, crop / vae.factor());
  return {"vae at work", 0, most, most};
}

/// Of one sample, `side` latents a side.
Parts learning_parts(const SeesrOutlines& outlines, const Arithmetic& arithmetic, std::int64_t side) {
  const auto kept = [&](bool checkpointing) {
    outlines.unet->set_recomputing(checkpointing);
    outlines.controlnet->set_recomputing(checkpointing);
    return seesr_activations(*outlines.unet, *outlines.controlnet, arithmetic).at(side * side);
  };
  const auto layer = largest_layer(outlines.unet->config(), arithmetic, side, side);
  return {{"activations", 0, kept(false), kept(true)},
          {"backward", 0, static_cast<double>(layer.most - layer.kept), static_cast<double>(layer.most)}};
}

}  // namespace

std::int64_t kept_activations(const ConditionedUnet& unet, const ControlNet& controlnet,
                              const Arithmetic& arithmetic, std::int64_t height, std::int64_t width) {
  const Sample sample(unet.config().encoder, height, width);
  const DdpmScheduler scheduler{DdpmConfig{}};
  Tensor loss;
  return count_held_memory([&] {
           const Autocast autocast(arithmetic);
           loss =
               seesr_forward(unet, controlnet, scheduler, sample.latents, sample.sight, sample.noise).loss();
         })
      .kept;
}

AreaCost seesr_activations(const ConditionedUnet& unet, const ControlNet& controlnet,
                           const Arithmetic& arithmetic) {
  return area_cost([&](std::int64_t height, std::int64_t width) {
    return kept_activations(unet, controlnet, arithmetic, height, width);
  });
}

HeldMemory largest_layer(const ConditionedUnetConfig& config, const Arithmetic& arithmetic,
                         std::int64_t height, std::int64_t width) {
  const auto& encoder = config.encoder;
  const auto channels = encoder.channels[0],
             below = encoder.channels[std::min<size_t>(1, encoder.levels() - 1)];
  UnetBlockConfig config_of_layer = level_config(encoder, 0);
  config_of_layer.inputs = {channels + below};
  config_of_layer.attending = encoder.attends[0] ? 1 : 0;
  const UpBlock layer(config_of_layer, /*upsamples=*/false);
  const Sample sample(encoder, height, width);
  const Tensor map = at::zeros({1, below, height, width}).requires_grad_(true);
  const Tensor skip = at::zeros({1, channels, height, width}), time = at::zeros({1, encoder.time_features()});
  Tensor answer;
  const auto forward = [&] {
    const Autocast autocast(arithmetic);
    std::vector<Tensor> skips{skip};
    answer = layer.forward(map, skips, time, layer.remember(sample.sight.text, sample.sight.image_tokens));
  };
  const auto kept = count_held_memory(forward).kept;
  answer = Tensor();
  const auto most = count_held_memory([&] { forward(), answer.sum().backward(); }).most;
  return {.most = most, .kept = kept};
}

double encoder_memory(const AutoencoderKl& vae, std::int64_t side) {
  const std::int64_t half = std::max<std::int64_t>(1, side / 2), pixels = vae.factor() * half;
  const Tensor picture = at::zeros({1, vae.config().in_channels, pixels, pixels});
  const auto held = count_held_memory([&] { seesr_moments(vae, picture); });
  const double enlarged = static_cast<double>(side) / static_cast<double>(half);
  return static_cast<double>(held.most) * enlarged * enlarged;
}

std::vector<SeesrMemoryPart> seesr_memory_plan(const SeesrConfig& config, const Arithmetic& arithmetic,
                                               const RamConfig& ram) {
  const auto outlines = outline_seesr_training(config);
  for (const auto& [name, parameter] : all_parameters(*outlines.unet))
    parameter.requires_grad_(is_image_attention(name));
  set_frozen_precision(*outlines.unet, arithmetic.type);
  set_precision(*outlines.vae, arithmetic.type);
  auto parts = standing_parts(outlines, ram, arithmetic, config.ema > 0);
  parts.push_back(encoding_part(*outlines.vae, config.data.crop));
  const auto learning = learning_parts(outlines, arithmetic, config.data.crop / outlines.vae->factor());
  parts.insert(parts.end(), learning.begin(), learning.end());
  parts.push_back(sum_of("all", parts));
  return parts;
}

}  // namespace sr
