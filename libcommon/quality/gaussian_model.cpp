#include "quality/gaussian_model.h"

#include <fmt/format.h>
#include <limits>

#include "core/error.h"

namespace sr {
namespace {

/// What the pseudo-inverse leaves out, as a fraction of the largest eigenvalue (torch.linalg.pinv's choice).
double tolerance(std::int64_t features) {
  return static_cast<double>(features) * std::numeric_limits<double>::epsilon();
}

/// Rows of d (L L')^-1 d', by L y = d'.
Tensor squared_by_cholesky(const Tensor& differences, const Tensor& matrix) {
  const Tensor lower = std::get<0>(at::linalg_cholesky_ex(matrix));
  const Tensor y = at::linalg_solve_triangular(lower, differences.t(), /*upper=*/false);
  return (y * y).sum(0);
}

Tensor squared_by_pseudo_inverse(const Tensor& differences, const Tensor& matrix) {
  const Tensor inverse = at::linalg_pinv(matrix, tolerance(matrix.size(0)), /*hermitian=*/true);
  return (at::matmul(differences, inverse) * differences).sum(1).clamp_min(0);
}

}  // namespace

Tensor nan_mean(const Tensor& rows) {
  const Tensor usable = rows.isnan().logical_not();
  return at::where(usable, rows, 0.0).sum(0) / usable.sum(0);
}

Tensor whole_rows(const Tensor& rows) { return rows.index({rows.isnan().any(1).logical_not()}); }

Tensor column_covariance(const Tensor& rows) {
  const Tensor centred = rows - rows.mean(0, /*keepdim=*/true);
  return at::matmul(centred.t(), centred) / static_cast<double>(rows.size(0) - 1);
}

GaussianModel::GaussianModel(const Tensor& mean, const Tensor& covariance, const std::string& name)
    : mean_(mean.to(at::kCPU, at::kDouble).flatten()),
      covariance_(covariance.to(at::kCPU, at::kDouble).contiguous()) {
  if (covariance_.dim() != 2 || covariance_.size(0) != features() || covariance_.size(1) != features())
    throw Error(fmt::format("{}: the covariance does not fit a mean of {} features", name, features()));
  if (!mean_.isfinite().all().item<bool>() || !covariance_.isfinite().all().item<bool>())
    throw Error(fmt::format("{}: the model holds values that are not finite", name));
  least_eigenvalue_ = at::linalg_eigvalsh(covariance_).min().item<double>();
}

Tensor GaussianModel::distances(const Tensor& rows, const Tensor& covariance) const {
  const Tensor differences = rows - mean_, matrix = (covariance_ + covariance) / 2;
  // The sum's least eigenvalue is not below the model's own. If the pseudo-inverse can leave nothing out, it
  // is the inverse, which is not needed to divide by.
  const bool regular = least_eigenvalue_ / 2 > tolerance(features()) * matrix.trace().item<double>();
  return at::sqrt(regular ? squared_by_cholesky(differences, matrix)
                          : squared_by_pseudo_inverse(differences, matrix));
}

}  // namespace sr
