#pragma once
// Statistics of natural scenes that NIQE and IL-NIQE read quality from: locally normalised contrast, and what
// fits to it and to products of neighbours say. Sources: XPixelGroup/BasicSR basicsr/metrics/niqe.py
// (float32), chaofengc/IQA-PyTorch pyiqa/archs/func_util.py and niqe_arch.py (float64).
//
// Planes are [H, W] on the CPU. Their type chooses whose numbers come out: the rounding of flat areas moves
// the scores by per cents. Results do not depend on the number of threads.

#include <cstdint>

#include "core/torch.h"

namespace sr {

/// MATLAB's fspecial('gaussian', size, sigma): float64 [size, size] of sum 1.
Tensor gaussian_window(std::int64_t size, double sigma);

/// A plane after local normalisation, and the local standard deviation that it was divided by.
struct NormalisedContrast {
  Tensor values, deviation;  ///< [H, W] of the plane's type
};

/// (plane - mean) / (deviation + 1), where mean and deviation are those under `window` (float64 [5, 5] or
/// [7, 7]); edges are replicated. A float32 plane has float32 maps that are summed in double precision
/// (scipy's convolve), so that flat areas become exactly 0; a float64 plane has the machine epsilon under the
/// root.
NormalisedContrast normalised_contrast(const Tensor& plane, const Tensor& window);

/// Features of one scale of a block: shape and scale of its values; shape, mean and both scales of the
/// products of neighbours in four directions. Neighbours wrap round inside the block.
constexpr std::int64_t kSceneFeatures = 18;

/// The features of every whole block of height x width as float64 [blocks, 18], column after column of
/// blocks.
Tensor scene_features(const Tensor& contrast, std::int64_t height, std::int64_t width);

}  // namespace sr
