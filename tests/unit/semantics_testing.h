#pragma once
// What the tests of discriminators, semantics and Se-RRDB share.

#include <ATen/CPUGeneratorImpl.h>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "nets/draw.h"
#include "nets/fill_module.h"
#include "nets/semantics.h"
#undef CHECK  // LibTorch's module headers bring glog's; doctest's must come after it
#include "weights_testing.h"

namespace sr::testing {

using Shape = std::vector<int64_t>;

inline at::Generator seeded(uint64_t seed) { return at::make_generator<at::CPUGeneratorImpl>(seed); }

inline Tensor noise(const Shape& shape, uint64_t seed = 2) { return at::rand(shape, seeded(seed)); }

inline bool same(const torch::nn::Module& a, const torch::nn::Module& b) {
  const auto of_a = tensors_of(a), of_b = tensors_of(b);
  return std::all_of(of_a.begin(), of_a.end(),
                     [&](const auto& entry) { return entry.second.equal(of_b.at(entry.first)); });
}

/// Parameters whose gradient is missing, not finite, or zero throughout.
inline std::vector<std::string> unlearning(const torch::nn::Module& module) {
  std::vector<std::string> keys;
  for (const auto& parameter : module.named_parameters()) {
    const Tensor gradient = parameter.value().grad();
    const bool learns = gradient.defined() && gradient.isfinite().all().item<bool>() &&
                        gradient.abs().max().item<float>() > 0;
    if (!learns) keys.push_back(parameter.key());
  }
  return keys;
}

inline ClipResNetConfig small_tower() {
  return {.layers = {1, 1, 1, 1}, .width = 8, .output_dim = 8, .heads = 4, .input_resolution = 64};
}

inline std::shared_ptr<ClipSemantics> small_semantics(int level) {
  auto tower = std::make_shared<ModifiedResNet>(small_tower());
  draw_defaults(*tower, seeded(3));
  return std::make_shared<ClipSemantics>(std::move(tower), level);
}

}  // namespace sr::testing
