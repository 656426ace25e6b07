#include "quality/frechet.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <optional>

#include "core/error.h"

namespace sr {
namespace {

constexpr int64_t kKernelRows = 1024;  // at a time

/// Throws Error unless these are a mean [D] and a covariance [D,D], all numbers.
void check(const FidStatistics& statistics) {
  const Tensor &mu = statistics.mu, &sigma = statistics.sigma;
  if (mu.dim() != 1 || sigma.dim() != 2 || sigma.size(0) != mu.size(0) || sigma.size(1) != mu.size(0))
    throw Error("FID compares a mean [D] and a covariance [D,D] with others, and these are none");
  if (!mu.isfinite().all().item<bool>() || !sigma.isfinite().all().item<bool>())
    throw Error("FID's statistics hold values that are not finite");
}

/// Below it, relative to the largest, eigenvalues are rounding's.
double tolerance(int64_t features) {
  return static_cast<double>(features) * std::numeric_limits<double>::epsilon();
}

/// Cholesky's factor, where the covariance is definite beyond doubt.
std::optional<Tensor> triangular_root(const Tensor& sigma) {
  const auto [lower, info] = at::linalg_cholesky_ex(sigma);
  if (info.item<int>() != 0) return std::nullopt;
  const Tensor pivots = lower.diagonal().square();
  const double least = pivots.min().item<double>(), most = sigma.diagonal().max().item<double>();
  return least > tolerance(sigma.size(0)) * most ? std::optional(lower) : std::nullopt;
}

/// [D,rank] from the eigenvectors. Leaves out what rounding made of eigenvalues 0: half of them are positive,
/// and their roots are not small.
Tensor thin_root(const Tensor& sigma) {
  const auto [values, vectors] = at::linalg_eigh(sigma);
  const double least = tolerance(sigma.size(0)) * values.abs().max().item<double>();
  const int64_t rank = values.gt(least).sum().item<int64_t>(), rest = values.size(0) - rank;
  return vectors.narrow(1, rest, rank) * values.narrow(0, rest, rank).sqrt();
}

double trace_of_root(const Tensor& a, const Tensor& b) {
  const Tensor* other = &b;
  std::optional<Tensor> root = triangular_root(a);
  if (!root) {
    root = triangular_root(b);  // either will do
    if (root) other = &a;
  }
  if (!root) root = thin_root(a);
  if (root->size(1) == 0) return 0;
  const Tensor product = at::matmul(root->t(), at::matmul(*other, *root));
  return at::linalg_eigvalsh(product).clamp_min(0).sqrt().sum().item<double>();
}

Tensor features_of(const Tensor& rows) { return rows.to(at::kCPU, at::kDouble); }

/// The kernel's sum over all pairs of rows.
double kernel_sum(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (int64_t row = 0; row < a.size(0); row += kKernelRows) {
    const Tensor some = a.slice(0, row, row + kKernelRows);
    const Tensor similar = at::matmul(some, b.t()).div_(static_cast<double>(a.size(1))).add_(1);
    sum += similar.pow(3).sum().item<double>();
  }
  return sum;
}

/// The kernel's mean over pairs of different rows.
double mean_within(const Tensor& rows) {
  const auto count = static_cast<double>(rows.size(0));
  const Tensor own = rows.square().sum(1).div(static_cast<double>(rows.size(1))).add(1).pow(3);
  return (kernel_sum(rows, rows) - own.sum().item<double>()) / (count * (count - 1));
}

}  // namespace

double frechet_distance(const FidStatistics& a, const FidStatistics& b) {
  check(a);
  check(b);
  if (a.mu.size(0) != b.mu.size(0)) {
    throw Error(fmt::format("FID compares statistics of as many features, not {} with {}", a.mu.size(0),
                            b.mu.size(0)));
  }
  const Tensor sigma_a = features_of(a.sigma), sigma_b = features_of(b.sigma);
  const double shift = (features_of(a.mu) - features_of(b.mu)).square().sum().item<double>();
  const double spread = sigma_a.trace().item<double>() + sigma_b.trace().item<double>();
  return std::max(0.0, shift + spread - 2 * trace_of_root(sigma_a, sigma_b));
}

double kid(const Tensor& a, const Tensor& b) {
  if (a.dim() != 2 || b.dim() != 2 || a.size(1) != b.size(1))
    throw Error("KID compares two tables of as many features");
  if (std::min(a.size(0), b.size(0)) < 2) throw Error("KID needs two images on either side");
  const Tensor x = features_of(a), y = features_of(b);
  const auto pairs = static_cast<double>(x.size(0)) * static_cast<double>(y.size(0));
  return mean_within(x) + mean_within(y) - 2 * kernel_sum(x, y) / pairs;
}

}  // namespace sr
