#include "diffusion/ddpm_scheduler.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/config_reader.h"

namespace sr {
namespace {

constexpr int64_t kMostTimesteps = 1'000'000;
constexpr double kLeastBeta = 1e-6, kMostBeta = 0.999;  // beyond, float32 has no noise or no sample left

void refuse_unsupported(ConfigReader& config) {
  config.require("beta_schedule", "scaled_linear", "linear");
  config.require("trained_betas", nullptr);
  config.require("rescale_betas_zero_snr", false);
  config.require("variance_type", "fixed_small");
  config.require("clip_sample", false, true);
  config.require("thresholding", false);
}

/// The coefficient shaped so that it multiplies each of the samples.
Tensor per_sample(const Tensor& coefficients, const Tensor& samples) {
  std::vector<int64_t> shape(static_cast<size_t>(samples.dim()), 1);
  shape[0] = coefficients.numel();
  return coefficients.view(shape).to(samples.device());
}

std::vector<int64_t> leading(const DdpmConfig& config, int64_t steps) {
  std::vector<int64_t> timesteps;
  for (int64_t i = steps - 1; i >= 0; --i)
    timesteps.push_back(i * (config.train_timesteps / steps) + config.steps_offset);
  return timesteps;
}

/// numpy rounds halves to even, as nearbyint does.
std::vector<int64_t> trailing(const DdpmConfig& config, int64_t steps) {
  const auto last = static_cast<double>(config.train_timesteps);
  std::vector<int64_t> timesteps;
  for (int64_t i = 0; i < steps; ++i) {
    const double position = last - static_cast<double>(i) * (last / static_cast<double>(steps));
    timesteps.push_back(static_cast<int64_t>(std::nearbyint(position)) - 1);
  }
  return timesteps;
}

std::vector<int64_t> even(const DdpmConfig& config, int64_t steps) {
  const auto last = static_cast<double>(config.train_timesteps - 1);
  const double stride = steps > 1 ? last / static_cast<double>(steps - 1) : 0;
  std::vector<int64_t> timesteps;
  for (int64_t i = steps - 1; i >= 0; --i)
    timesteps.push_back(static_cast<int64_t>(std::nearbyint(static_cast<double>(i) * stride)));
  return timesteps;
}

std::vector<int64_t> timesteps_of(const DdpmConfig& config, int64_t steps) {
  switch (config.spacing) {
    case DdpmConfig::Spacing::leading: return leading(config, steps);
    case DdpmConfig::Spacing::trailing: return trailing(config, steps);
    case DdpmConfig::Spacing::linspace: return even(config, steps);
  }
  throw Error("unknown spacing of timesteps");
}

}  // namespace

DdpmConfig ddpm_config(const nlohmann::json& json) {
  using Spacing = DdpmConfig::Spacing;
  using Prediction = DdpmConfig::Prediction;
  ConfigReader reader(json);
  refuse_unsupported(reader);
  DdpmConfig config;
  config.train_timesteps =
      reader.whole_number("num_train_timesteps", 1, kMostTimesteps, config.train_timesteps);
  config.beta_start = reader.number("beta_start", kLeastBeta, kMostBeta, config.beta_start);
  config.beta_end = reader.number("beta_end", kLeastBeta, kMostBeta, config.beta_end);
  config.steps_offset =
      reader.whole_number("steps_offset", 0, config.train_timesteps - 1, config.steps_offset);
  config.spacing = reader.one_of<Spacing>(
      "timestep_spacing",
      {{"leading", Spacing::leading}, {"trailing", Spacing::trailing}, {"linspace", Spacing::linspace}},
      "leading");
  config.prediction = reader.one_of<Prediction>(
      "prediction_type", {{"epsilon", Prediction::epsilon}, {"v_prediction", Prediction::v}}, "epsilon");
  return config;
}

// --- what training needs ---------------------------------------------------------------------------

DdpmScheduler::DdpmScheduler(const DdpmConfig& config)
    : config_(config),
      betas_(at::linspace(std::sqrt(config.beta_start), std::sqrt(config.beta_end), config.train_timesteps,
                          at::kFloat)
                 .square_()),
      alphas_cumprod_((1 - betas_).cumprod(0)) {}

Tensor DdpmScheduler::alphas_at(const Tensor& timesteps, const Tensor& samples) const {
  return per_sample(alphas_cumprod_.index_select(0, timesteps.cpu()), samples);
}

Tensor DdpmScheduler::add_noise(const Tensor& samples, const Tensor& noise, const Tensor& timesteps) const {
  const Tensor alphas = alphas_at(timesteps, samples);
  return alphas.sqrt() * samples + (1 - alphas).sqrt() * noise;
}

Tensor DdpmScheduler::velocity(const Tensor& samples, const Tensor& noise, const Tensor& timesteps) const {
  const Tensor alphas = alphas_at(timesteps, samples);
  return alphas.sqrt() * noise - (1 - alphas).sqrt() * samples;
}

// --- steps -----------------------------------------------------------------------------------------

DdpmSteps::DdpmSteps(const DdpmScheduler& scheduler, int64_t steps) : config_(scheduler.config()) {
  if (steps < 1 || steps > config_.train_timesteps)
    throw UsageError(
        fmt::format("the number of steps must be from 1 to {}, not {}", config_.train_timesteps, steps));
  const Tensor& alphas = scheduler.alphas_cumprod();
  alphas_.assign(alphas.data_ptr<float>(), alphas.data_ptr<float>() + alphas.numel());
  stride_ = config_.train_timesteps / steps;
  timesteps_ = timesteps_of(config_, steps);
}

double DdpmSteps::alpha(int64_t timestep) const {
  if (timestep < 0 || timestep >= config_.train_timesteps)
    throw Error(fmt::format("timestep {} is none of the scheduler's {}", timestep, config_.train_timesteps));
  return alphas_[static_cast<size_t>(timestep)];
}

double DdpmSteps::next_alpha(int64_t timestep) const {
  return timestep < stride_ ? 1 : alpha(timestep - stride_);
}

Tensor DdpmSteps::denoised(const Tensor& sample, const Tensor& prediction, int64_t timestep) const {
  const double signal = std::sqrt(alpha(timestep)), noise = std::sqrt(1 - alpha(timestep));
  if (config_.prediction == DdpmConfig::Prediction::v) return signal * sample - noise * prediction;
  return (sample - noise * prediction) / signal;
}

double DdpmSteps::variance(int64_t timestep) const {
  const double now = alpha(timestep), next = next_alpha(timestep);
  return std::max((1 - next) / (1 - now) * (1 - now / next), 1e-20);
}

Tensor DdpmSteps::step(const Tensor& sample, const Tensor& prediction, int64_t timestep,
                       const Tensor& noise) const {
  const double now = alpha(timestep), next = next_alpha(timestep), between = now / next;
  const double of_denoised = std::sqrt(next) * (1 - between) / (1 - now);
  const double of_sample = std::sqrt(between) * (1 - next) / (1 - now);
  const Tensor mean = of_denoised * denoised(sample, prediction, timestep) + of_sample * sample;
  return timestep == 0 ? mean : mean + std::sqrt(variance(timestep)) * noise;
}

}  // namespace sr
