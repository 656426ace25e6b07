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

/// How many children there are, which are numbered 0, `step`, 2 * `step`... Throws Error where they aren't:
/// the last one's number alone, which anyone could write into a key, tells nothing.
int64_t count(const StateDict& weights, const std::string& prefix, int64_t step = 1);

/// Size of a tensor along `axis`, which is never 0. Throws Error that names the key if it is missing, has
/// fewer dimensions or is empty.
int64_t extent(const StateDict& weights, const std::string& key, int64_t axis);

/// The whole number whose square is `value`, or 0 where there is none.
int64_t square_root(int64_t value);

/// The scale of `upsample.0`, `upsample.2`, ...: each convolution widens by the square of its shuffle's
/// factor. Throws Error where one doesn't.
int64_t shuffle_scale(const StateDict& weights);

}  // namespace sr::keys
