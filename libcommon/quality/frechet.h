#pragma once
// Distances between sets of features: Frechet's between Gaussians, and the kernel distance.

#include "core/torch.h"

namespace sr {

/// A set of features as a Gaussian sees it; any number D of features.
struct FidStatistics {
  Tensor mu;     ///< [D] float64
  Tensor sigma;  ///< [D,D] float64, unbiased
};

/// |mu_a - mu_b|^2 + tr(sigma_a + sigma_b - 2 sqrt(sigma_a sigma_b)), which is at least 0.
/// Paper: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
/// NeurIPS 2017. The root's trace is that of sqrt(R' sigma_b R) for any R R' = sigma_a, which is symmetric:
/// no complex numbers, no epsilon on singular covariances (of fewer images than features, say), where
/// scipy.linalg.sqrtm errs by some 1e-8 and more. Throws Error where the statistics are no such, or differ in
/// D.
double frechet_distance(const FidStatistics& a, const FidStatistics& b);

/// Kernel inception distance of features [N,D] and [M,D]: the unbiased estimate of the squared maximum mean
/// discrepancy under the kernel (x y / D + 1)^3, over all rows at once (papers average random subsets, whose
/// expectation this is). May be negative. Paper: Binkowski et al., "Demystifying MMD GANs", ICLR 2018. Throws
/// Error below two rows, or where D differs.
double kid(const Tensor& a, const Tensor& b);

}  // namespace sr
