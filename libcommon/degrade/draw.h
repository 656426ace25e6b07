#pragma once
// Drawing recipes from a pipeline. Every draw comes from streams keyed by (seed, picture's name), so that
// order, threads and shards do not change a recipe.

#include <cstdint>
#include <string>
#include <vector>

#include "degrade/pipeline.h"

namespace sr {

/// The picture that a recipe is for: its name below its folder, and its size.
struct Subject {
  std::string image;
  std::int64_t height = 0, width = 0;
};

/// How HR pictures are cut before they are degraded, beside what the pipeline's PairSpec says.
struct CutOptions {
  std::int64_t crop = 0;    ///< a random square of this side; 0: the whole picture
  std::int64_t resize = 0;  ///< first resized to a square of this side, and then not mirrored; 0: not
  bool pair = false;        ///< the HR half is kept too: mirroring and sharpening apply
};

/// Throws Error where the picture is too small for the crop, or would shrink to nothing.
Recipe draw_recipe(const Pipeline& pipeline, const Subject& subject, const CutOptions& cut,
                   std::uint64_t seed);

/// One recipe a sample of a batch of `count` pictures, all of `subject`'s size and not cut. What decides
/// sizes and operators (order, probabilities, factors, modes, kinds of noise) is drawn once for the batch, so
/// that its samples can be degraded together, as Real-ESRGAN does; kernels, strengths, qualities,
/// and whether a step is done that is `per_sample`, are each sample's own. Mirroring is left to who loads the
/// pictures. `subject.image` names the batch.
std::vector<Recipe> draw_recipes(const Pipeline& pipeline, const Subject& subject, int count,
                                 std::uint64_t seed);

}  // namespace sr
