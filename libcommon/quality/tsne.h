#pragma once
// t-SNE: points in the plane that have the neighbours of rows in many dimensions. Exact: O(N^2) time an
// iteration, and memory; for some thousand rows.
// Paper: van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 9, 2008; gains and momentum are
// those of van der Maaten's tsne.m. Defaults held against: scikit-learn sklearn/manifold/_t_sne.py TSNE (1.2
// and newer) with method="exact": early exaggeration 12 over the first 250 iterations, then a start from
// rest; momentum 0.5, then 0.8; gains of 0.01 at least; learning rate max(N / 12 / 4, 50); the first two
// principal components, with a deviation of 1e-4 along the first, to begin with. Unlike there, no iteration
// is left out where little changes, and everything is float64.
//
// Rows are [N,D] float64. All sums have one order: the same bytes for any number of threads.

#include <cstdint>

#include "core/torch.h"

namespace sr {

/// Squared Euclidean distances [N,N] of rows.
Tensor squared_distances(const Tensor& rows);

/// p(j|i) [N,N], 0 on the diagonal: Gaussians over squared distances, each row's as wide as makes its
/// perplexity 2^entropy what is asked for (to 1e-9, unless it is out of reach: equal rows beyond it). Throws
/// Error unless 1 < perplexity < N - 1.
Tensor neighbour_probabilities(const Tensor& distances, double perplexity);

/// Symmetric p [N,N] of all pairs, whose sum is 1, of squared distances: (p(j|i) + p(i|j)) / 2N.
Tensor joint_probabilities(const Tensor& distances, double perplexity);

/// The Kullback-Leibler divergence of the joint probabilities from those of the points [N,2], which are
/// Student's t of one degree of freedom.
double tsne_divergence(const Tensor& joint, const Tensor& points);

/// Its gradient with respect to the points, the joint probabilities times `exaggeration`.
Tensor tsne_gradient(const Tensor& joint, const Tensor& points, double exaggeration = 1);

struct TsneOptions {
  enum class Start {
    pca,     ///< the first two principal components
    random,  ///< normal with deviation 1e-4, drawn from the seed
  };

  double perplexity = 30;
  Start start = Start::pca;
  std::uint64_t seed = 0;
};

class Tsne {
 public:
  /// Throws Error where the rows are not finite, or 1e50 and more apart, or too few for the perplexity.
  Tsne(const Tensor& rows, const TsneOptions& options);

  /// One iteration.
  void step();

  const Tensor& points() const { return points_; }  ///< [N,2]
  double divergence() const { return tsne_divergence(joint_, points_); }

 private:
  Tensor joint_, points_, update_, gains_;
  double rate_;
  std::int64_t done_ = 0;
};

}  // namespace sr
