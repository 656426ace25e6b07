#include "nets/keys.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <set>

#include "core/error.h"

namespace sr::keys {
namespace {

/// The number at the start of `text` if a dot follows it, else -1.
int64_t leading_number(std::string_view text) {
  int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool dotted = error == std::errc() && end != text.data() + text.size() && *end == '.';
  return dotted ? number : -1;
}

}  // namespace

bool has_prefix(const StateDict& weights, const std::string& prefix) {
  const auto entry = weights.lower_bound(prefix);
  return entry != weights.end() && entry->first.starts_with(prefix);
}

StateDict below(const StateDict& weights, const std::string& prefix) {
  StateDict found;
  for (auto i = weights.lower_bound(prefix); i != weights.end() && i->first.starts_with(prefix); ++i)
    found[i->first.substr(prefix.size())] = i->second;
  return found;
}

std::vector<int64_t> children(const StateDict& weights, const std::string& prefix) {
  std::set<int64_t> numbers;
  for (auto i = weights.lower_bound(prefix); i != weights.end() && i->first.starts_with(prefix); ++i) {
    const int64_t number = leading_number(std::string_view(i->first).substr(prefix.size()));
    if (number >= 0) numbers.insert(number);
  }
  return {numbers.begin(), numbers.end()};
}

int64_t count(const StateDict& weights, const std::string& prefix, int64_t step) {
  int64_t found = 0;
  for (const int64_t number : children(weights, prefix)) {
    const int64_t wanted = found * step;
    if (number != wanted)
      throw Error(fmt::format("the weights have '{0}{1}' but not '{0}{2}'", prefix, number, wanted));
    ++found;
  }
  return found;
}

int64_t extent(const StateDict& weights, const std::string& key, int64_t axis) {
  const auto entry = weights.find(key);
  if (entry == weights.end())
    throw Error(fmt::format("the weights lack '{}', which tells the network's size", key));
  if (entry->second.dim() <= axis) {
    throw Error(
        fmt::format("'{}' has {} dimensions, too few for any known network", key, entry->second.dim()));
  }
  const int64_t size = entry->second.size(axis);
  if (size == 0) throw Error(fmt::format("'{}' is empty", key));
  return size;
}

int64_t square_root(int64_t value) {
  const auto root =
      static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(std::max<int64_t>(value, 0)))));
  return root * root == value ? root : 0;
}

int64_t shuffle_scale(const StateDict& weights) {
  int64_t scale = 1;
  for (const int64_t index : children(weights, "upsample.")) {
    const std::string key = fmt::format("upsample.{}.weight", index);
    const int64_t factor = square_root(extent(weights, key, 0) / extent(weights, key, 1));
    if (factor < 1 || factor > INT32_MAX / scale)
      throw Error(fmt::format("'{}' enlarges by no whole scale", key));
    scale *= factor;
  }
  return scale;
}

}  // namespace sr::keys
