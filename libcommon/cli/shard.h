#pragma once
// Sharing a batch between processes that don't know of each other.

#include <string>
#include <utility>
#include <vector>

namespace sr {

/// Every `count`-th item from `first` on.
struct Shard {
  size_t first = 0, count = 1;
};

/// "I/N", I from 1 to N; "slurm": as Slurm's environment says, of the array and of srun's tasks; empty:
/// everything. Throws UsageError.
Shard parse_shard(const std::string& text);

template <class Item>
std::vector<Item> shard_of(std::vector<Item> items, const std::string& text) {
  const auto shard = parse_shard(text);
  std::vector<Item> kept;
  for (size_t i = shard.first; i < items.size(); i += shard.count) kept.push_back(std::move(items[i]));
  return kept;
}

}  // namespace sr
