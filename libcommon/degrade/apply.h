#pragma once
// Carrying recipes out. Pictures are [N,3,H,W] float32 in [0,1], on any device.

#include <span>

#include "degrade/recipe.h"

namespace sr {

/// The kernel [size,size], float64, that a blur correlates with.
Tensor kernel_of(const Blur& blur);

/// One step on a batch: operations of one kind, one a sample, all with the same resulting size (`together`).
/// Throws Error where a picture is too small for it.
Tensor apply_step(const Tensor& images, std::span<const Operation> operations);

/// True where the two can be done in one step of a batch.
bool together(const Operation& a, const Operation& b);

/// Throws Error unless a picture of this size is the one that the recipe is for.
void check_size(std::int64_t height, std::int64_t width, const Recipe& recipe);

/// The HR picture: `picture` [1,3,H,W] as the recipe's cut makes it. Throws Error where its size is not the
/// recipe's.
Tensor cut_hr(const Tensor& picture, const Recipe& recipe);

/// The LR pictures of the HR pictures `hr` (as cut_hr gives them, one recipe each), clamped to [0,1].
/// Samples whose steps differ in kind or size are done one by one.
Tensor degrade(const Tensor& hr, std::span<const Recipe> recipes);

}  // namespace sr
