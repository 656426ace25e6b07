#pragma once
// Official key lists as state dicts.

#include "nets_testing.h"

// Below LibTorch's headers and doctest's (see nets_testing.h).
#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <vector>

namespace sr::testing {

inline std::vector<int64_t> read_shape(std::string text) {
  std::replace(text.begin(), text.end(), 'x', ' ');
  std::istringstream in(text);
  std::vector<int64_t> shape;
  for (int64_t side = 0; in >> side;) shape.push_back(side);
  return shape;
}

/// A state dict with the keys and shapes of tests/data/keys/NAME.tsv; its tensors take no memory.
inline StateDict key_list(const std::string& name) {
  std::ifstream file(fmt::format("{}/keys/{}.tsv", SR_TEST_DATA, name));
  REQUIRE(file);
  StateDict weights;
  for (std::string key, type, shape;
       std::getline(file, key, '\t') && std::getline(file, type, '\t') && std::getline(file, shape);) {
    weights[key] = torch::zeros({}).expand(read_shape(shape));
  }
  return weights;
}

inline std::vector<std::string> names(const StateDict& weights) {
  std::vector<std::string> keys;
  for (const auto& entry : weights) keys.push_back(entry.first);
  return keys;
}

}  // namespace sr::testing
