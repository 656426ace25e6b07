#pragma once
// The multivariate Gaussian that NIQE and IL-NIQE describe pristine pictures with, and distances to it.

#include <cstdint>
#include <string>

#include "core/torch.h"

namespace sr {

/// Means of the columns of [rows, features], NaN left out; NaN where a column has nothing else.
Tensor nan_mean(const Tensor& rows);

/// The rows without any NaN.
Tensor whole_rows(const Tensor& rows);

/// The covariance of the columns (divisor rows - 1), of two rows at least.
Tensor column_covariance(const Tensor& rows);

/// A mean [features] and a covariance [features, features], in float64.
class GaussianModel {
 public:
  /// Throws Error, which begins with `name`, where shapes or values are unusable.
  GaussianModel(const Tensor& mean, const Tensor& covariance, const std::string& name);

  std::int64_t features() const { return mean_.size(0); }
  /// For every row of `rows` the distance sqrt(d ((C + c) / 2)^+ d'), d = row - mean, C the model's
  /// covariance and c `covariance` ([features, features], or a scalar that is added to every entry).
  Tensor distances(const Tensor& rows, const Tensor& covariance) const;

 private:
  Tensor mean_, covariance_;
  double least_eigenvalue_ = 0;
};

}  // namespace sr
