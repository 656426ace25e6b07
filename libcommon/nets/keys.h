#pragma once
// Questions that detection asks of a checkpoint's keys and shapes.

#include <string>
#include <vector>

#include "weights/state_dict.h"

namespace sr::keys {

inline bool has(const StateDict& weights, const std::string& key) { return weights.count(key) != 0; }

/// True where some key begins with `prefix`.
bool has_prefix(const StateDict& weights, const std::string& prefix);

/// The tensors below `prefix`, which comes off.
StateDict below(const StateDict& weights, const std::string& prefix);

/// The numbers N for which keys `prefix` + N + `.`... exist, ascending.
std::vector<int64_t> children(const StateDict& weights, const std::string& prefix);

/// Size of a tensor along `axis`. Throws Error that names the key if it is missing or has fewer dimensions.
int64_t extent(const StateDict& weights, const std::string& key, int64_t axis);

/// The whole number whose square is `value`, or 0 where there is none.
int64_t square_root(int64_t value);

}  // namespace sr::keys
