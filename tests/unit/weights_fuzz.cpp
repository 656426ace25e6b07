// Damaged files give errors, never crashes. SR_FUZZ_ROUNDS sets how many tries a fixture gets (best in the
// asan build).
#include <cstdlib>
#include <random>
#include <vector>

#include "weights/checkpoint.h"
#include "weights_testing.h"

namespace sr::testing {
namespace {

using Random = std::mt19937;

std::size_t below(Random& random, std::size_t end) { return random() % end; }

/// A few bytes changed, or a part cut off, doubled or left out.
std::string damaged(std::string bytes, Random& random) {
  const std::size_t place = below(random, bytes.size());
  switch (below(random, 8)) {
    case 0: bytes.resize(place); break;
    case 1: bytes.erase(place, 1 + below(random, 16)); break;
    case 2: bytes.insert(place, bytes.substr(below(random, bytes.size()), 1 + below(random, 16))); break;
    case 3: bytes.replace(place, 8, 8, below(random, 2) ? '\xff' : '\0'); break;
    default:
      for (std::size_t i = 0; i <= below(random, 4); ++i) {
        bytes[below(random, bytes.size())] = static_cast<char>(random());
      }
  }
  return bytes;
}

/// In memory of exactly that size, so that the address sanitizer sees any step beyond it.
SharedBytes in_memory(const std::string& bytes) {
  const auto buffer = std::make_shared<std::vector<char>>(bytes.begin(), bytes.end());
  return {buffer, *buffer};
}

/// Loads, and reads every element of what was loaded.
void try_to_load(const std::string& bytes) {
  try {
    for (const auto& [name, tensor] : read_checkpoint(in_memory(bytes))) {
      if (tensor.numel() < 100000 && !tensor.is_complex()) tensor.to(at::kDouble).sum().item<double>();
    }
  } catch (const Error&) {
    // as it should be
  }
}

TEST_CASE("damaged checkpoints give errors and nothing worse") {
  const char* wanted = std::getenv("SR_FUZZ_ROUNDS");
  const int rounds = wanted ? std::atoi(wanted) : 150;
  for (const auto& entry : fs::directory_iterator(fixture(""))) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() == ".py") continue;
    CAPTURE(name);
    const std::string whole = read_file(entry.path());
    Random random(static_cast<Random::result_type>(rounds) + whole.size());
    for (int round = 0; round < rounds; ++round) CHECK_NOTHROW(try_to_load(damaged(whole, random)));
  }
}

}  // namespace
}  // namespace sr::testing
