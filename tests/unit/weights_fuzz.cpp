// Damaged files give errors, never crashes. SR_FUZZ_ROUNDS sets how many tries a fixture gets (best in the
// asan build).
#include <cstdlib>
#include <map>
#include <random>
#include <vector>

#include "nets/fill_module.h"
#include "nets/network.h"
#include "nets/srvgg.h"
#include "weights/checkpoint.h"
#include "weights/npz.h"
#include "weights/safetensors.h"
#undef CHECK  // glog's, by LibTorch's module headers
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

/// Loads, reads every element of what was loaded, and makes the network that it is of.
void load(const std::string& bytes) {
  constexpr int64_t most = 100000;  // elements of a tensor: a file of few bytes can have very many
  bool small = true;
  const StateDict weights = read_checkpoint(in_memory(bytes));
  for (const auto& [name, tensor] : weights) {
    small = small && tensor.numel() < most;
    if (tensor.numel() < most && !tensor.is_complex()) tensor.to(at::kDouble).sum().item<double>();
  }
  if (small && network_family(weights)) make_network(weights);
}

void try_to_load(const std::string& bytes) {
  try {
    load(bytes);
  } catch (const Error&) {
    // as it should be
  }
}

/// The fixtures' bytes by name, and those of what is made here: NumPy's arrays and a small network.
std::map<std::string, std::string> sound_files() {
  const ScratchFolder folder;
  write_npz(folder.path() / "arrays.npz", {{"a", counted({2, 3})}, {"b", counted({4}, at::kInt)}});
  write_safetensors(folder.path() / "network.safetensors",
                    tensors_of(SRVGGNetCompact({.features = 2, .convs = 2, .scale = 2})));
  std::map<std::string, std::string> files;
  for (const auto& place : {fixture(""), folder.path()}) {
    for (const auto& entry : fs::directory_iterator(place)) {
      const std::string name = entry.path().filename().string();
      if (entry.path().extension() != ".py" && !name.starts_with("evil"))
        files[name] = read_file(entry.path());
    }
  }
  return files;
}

TEST_CASE("damaged checkpoints give errors and nothing worse") {
  const char* wanted = std::getenv("SR_FUZZ_ROUNDS");
  const int rounds = wanted ? std::atoi(wanted) : 150;
  const auto files = sound_files();
  CHECK(files.size() >= 20);
  for (const auto& [name, whole] : files) {
    CAPTURE(name);
    CHECK_NOTHROW(load(whole));
    Random random(static_cast<Random::result_type>(rounds) + whole.size());
    for (int round = 0; round < rounds; ++round) CHECK_NOTHROW(try_to_load(damaged(whole, random)));
  }
}

}  // namespace
}  // namespace sr::testing
