#include "cli/computing.h"

#include <fmt/format.h>

#include "cli/weights_source.h"
#include "core/processor.h"

namespace sr {
namespace {

Precision parse_precision(const std::string& text) {
  if (text == "fp32") return Precision::fp32;
  if (text == "bf16") return Precision::bf16;
  return text == "fp16" ? Precision::fp16 : Precision::automatic;
}

/// Real-ESRGAN's pairs: realesr-general-x4v3 and realesr-general-wdn-x4v3.
std::string twin_of(const std::string& model) {
  constexpr std::string_view marker = "general-";
  const size_t at = model.rfind(marker);
  if (at == std::string::npos) {
    throw UsageError(
        fmt::format("--denoise: no weak-denoising twin of {} is known; name it with --denoise-model", model));
  }
  return model.substr(0, at) + "general-wdn-" + model.substr(at + marker.size());
}

}  // namespace

EngineOptions engine_options(const ComputeOptions& options) {
  const int threads = threads_or_all(options.threads);
  return {parse_device(options.device), parse_precision(options.precision), threads, false};
}

StateDict load_model(const ModelOptions& options) {
  WeightsSource source(options.weights);
  const auto& weights = source.load(options.model);
  if (options.denoise == 1) return weights;
  const auto twin = options.denoise_model.empty() ? twin_of(options.model) : options.denoise_model;
  return interpolate(weights, source.load(twin), options.denoise);
}

}  // namespace sr
