#include "diffusion/seesr_costs.h"

#include <algorithm>

#include "nets/summary.h"

namespace sr {
namespace {

/// Of the networks with texts and tokens shown to them already.
AreaCost prediction_cost(const SeesrOutlines& outlines) {
  const auto& text = outlines.unet->config().encoder.text_features;
  const auto& seen = outlines.unet->config().encoder.image_features;
  const at::NoGradGuard no_grad;
  const Tensor prompt = at::zeros({1, SdTokenizer::context_length, text});
  const Tensor tokens = seen > 0 ? at::zeros({1, 145, seen}) : Tensor();
  const auto sees = outlines.unet->prepare(prompt, tokens);
  const auto controlnet_sees = outlines.controlnet->prepare(prompt, tokens);
  return area_cost([&](int64_t height, int64_t width) {
    const Tensor latents = at::zeros({1, outlines.unet->config().encoder.in_channels, height, width});
    const Tensor picture = at::zeros({1, 3, 8 * height, 8 * width}), time = at::zeros({1}, at::kLong);
    const Tensor embedded = outlines.controlnet->embed(picture);
    return count_multiply_adds([&] {
      const auto added = outlines.controlnet->forward(latents, time, controlnet_sees, embedded);
      outlines.unet->forward(latents, time, sees, added);
    });
  });
}

}  // namespace

AreaCost area_cost(const std::function<int64_t(int64_t, int64_t)>& count) {
  constexpr int64_t side = 8;
  constexpr double n = side * side;
  const auto once = static_cast<double>(count(side, side));
  const auto twice = static_cast<double>(count(side, 2 * side));
  const auto four_times = static_cast<double>(count(2 * side, 2 * side));
  const double first = (twice - once) / n, second = (four_times - twice) / (2 * n);  // b + 3 n c, b + 6 n c
  AreaCost cost;
  cost.square = (second - first) / (3 * n);
  cost.linear = first - 3 * n * cost.square;
  cost.fixed = once - n * (cost.linear + n * cost.square);
  return cost;
}

SeesrCosts seesr_costs(const SeesrOutlines& outlines) {
  const auto& vae = *outlines.vae;
  const int64_t factor = vae.factor();
  const auto encode = [&](int64_t height, int64_t width) {
    const Tensor picture = at::zeros({1, vae.config().in_channels, factor * height, factor * width});
    return count_multiply_adds([&] { vae.encode(picture); });
  };
  const auto decode = [&](int64_t height, int64_t width) {
    const Tensor latents = at::zeros({1, vae.config().latents, height, width});
    return count_multiply_adds([&] { vae.decode(latents); });
  };
  return {.prediction = prediction_cost(outlines), .encode = area_cost(encode), .decode = area_cost(decode)};
}

double seesr_memory(const SeesrOutlines& outlines, int64_t value_bytes, int64_t prompts, int64_t tile_latents,
                    int64_t vae_latents) {
  constexpr double per_latent = 48e3, per_decoded_latent = 400e3;  // measured at full size on a CPU
  constexpr int64_t mapped_bytes = 4;  // of a number in the files, which are read a network at a time
  const int64_t unet = count_parameters(*outlines.unet);
  const int64_t others = count_parameters(*outlines.controlnet) + count_parameters(*outlines.vae);
  const auto loading = static_cast<double>(unet * (value_bytes == mapped_bytes ? 0 : mapped_bytes));
  const double predicting = per_latent * static_cast<double>(prompts * tile_latents);
  const double decoding = per_decoded_latent * static_cast<double>(vae_latents);
  const double working = static_cast<double>(others * value_bytes) + std::max(predicting, decoding);
  return static_cast<double>(unet * value_bytes) + std::max(loading, working);
}

}  // namespace sr
