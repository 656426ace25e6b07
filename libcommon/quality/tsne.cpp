#include "quality/tsne.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <vector>

#include "core/error.h"
#include "core/random.h"
#include "core/simd.h"

namespace sr {
namespace {

constexpr double kEarlyExaggeration = 12, kStartDeviation = 1e-4;
constexpr double kFarthest = 1e50;  // squares of squared distances are numbers still, and so are precisions
constexpr std::int64_t kExaggeratedIterations = 250;
constexpr std::int64_t kLanes = 8;  // partial sums of every loop, whatever the processor's vectors hold

using Lanes = std::array<double, kLanes>;

double sum_of(const Lanes& parts) {
  double sum = 0;
  for (const double part : parts) sum += part;
  return sum;
}

/// Calls `work(i)` for every row, on several threads.
template <class Work>
void for_rows(std::int64_t rows, const Work& work) {
  at::parallel_for(0, rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) work(i);
  });
}

// --- distances -------------------------------------------------------------------------------------

SR_VECTORISED double squared_distance(const double* a, const double* b, std::int64_t count) {
  Lanes sums{};
  std::int64_t k = 0;
  for (; k + kLanes <= count; k += kLanes) {
    for (std::int64_t l = 0; l < kLanes; ++l) {
      const double difference = a[k + l] - b[k + l];
      sums[l] += difference * difference;
    }
  }
  for (; k < count; ++k) sums[0] += (a[k] - b[k]) * (a[k] - b[k]);
  return sum_of(sums);
}

// --- perplexity ------------------------------------------------------------------------------------

/// Fills a row's probabilities under a precision; the entropy in nats. `nearest`: the smallest distance to
/// another row, which changes nothing but keeps the sum from vanishing.
double fill_row(const double* distances, double* row, std::int64_t count, std::int64_t self, double nearest,
                double precision) {
  double sum = 0, moment = 0;
  for (std::int64_t j = 0; j < count; ++j) {
    const double further = distances[j] - nearest;
    row[j] = j == self ? 0 : std::exp(-further * precision);
    sum += row[j];
    if (row[j] > 0) moment += row[j] * further;
  }
  for (std::int64_t j = 0; j < count; ++j) row[j] /= sum;
  return std::log(sum) + precision * moment / sum;
}

double nearest_of(const double* distances, std::int64_t count, std::int64_t self) {
  double nearest = std::numeric_limits<double>::infinity();
  for (std::int64_t j = 0; j < count; ++j) {
    if (j != self) nearest = std::min(nearest, distances[j]);
  }
  return nearest;
}

/// Bisects the precision until the row has this entropy.
void search_row(const double* distances, double* row, std::int64_t count, std::int64_t self, double entropy) {
  constexpr int most = 400;
  constexpr double tolerance = 1e-10;
  const double nearest = nearest_of(distances, count, self);
  double low = 0, high = std::numeric_limits<double>::infinity(), precision = 1;
  for (int i = 0; i < most; ++i) {
    const double surplus = fill_row(distances, row, count, self, nearest, precision) - entropy;
    if (std::abs(surplus) < tolerance) return;
    (surplus > 0 ? low : high) = precision;
    precision = std::isfinite(high) ? (low + high) / 2 : 2 * precision;
  }
}

// --- forces ----------------------------------------------------------------------------------------

/// Points as two rows, and one of them.
struct Plane {
  const double *x, *y;
  std::int64_t count;
};

/// What the others do to a point, its difference to each times w = 1 / (1 + squared distance) ...
struct Forces {
  double attraction_x, attraction_y;  ///< ... times p
  double repulsion_x, repulsion_y;    ///< ... times w
  double weight;                      ///< the sum of w, its own 1 among it
};

/// The sums behind the forces on a point.
struct ForceSums {
  Lanes attraction_x{}, attraction_y{}, repulsion_x{}, repulsion_y{}, weight{};
};

/// Adds what point j does to a point at `x`, `y`, which p connects with it.
[[gnu::always_inline]] inline void add_point(ForceSums& sums, std::int64_t lane, double x, double y,
                                             const Plane& plane, std::int64_t j, double p) {
  const double dx = x - plane.x[j], dy = y - plane.y[j];
  const double w = 1 / (1 + dx * dx + dy * dy);
  sums.attraction_x[lane] += p * w * dx;
  sums.attraction_y[lane] += p * w * dy;
  sums.repulsion_x[lane] += w * w * dx;
  sums.repulsion_y[lane] += w * w * dy;
  sums.weight[lane] += w;
}

SR_VECTORISED Forces forces_on(const Plane& plane, std::int64_t i, const double* p) {
  ForceSums sums;
  const double x = plane.x[i], y = plane.y[i];
  std::int64_t j = 0;
  for (; j + kLanes <= plane.count; j += kLanes) {
    for (std::int64_t l = 0; l < kLanes; ++l) add_point(sums, l, x, y, plane, j + l, p[j + l]);
  }
  for (; j < plane.count; ++j) add_point(sums, 0, x, y, plane, j, p[j]);
  return {sum_of(sums.attraction_x), sum_of(sums.attraction_y), sum_of(sums.repulsion_x),
          sum_of(sums.repulsion_y), sum_of(sums.weight)};
}

// --- principal components --------------------------------------------------------------------------

using Vector = std::vector<double>;

SR_VECTORISED double product(const double* a, const double* b, std::int64_t count) {
  Lanes sums{};
  std::int64_t k = 0;
  for (; k + kLanes <= count; k += kLanes) {
    for (std::int64_t l = 0; l < kLanes; ++l) sums[l] += a[k + l] * b[k + l];
  }
  for (; k < count; ++k) sums[0] += a[k] * b[k];
  return sum_of(sums);
}

double product(const Vector& a, const Vector& b) {
  return product(a.data(), b.data(), static_cast<std::int64_t>(a.size()));
}

void centre(Vector& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  for (double& value : values) value -= sum / static_cast<double>(values.size());
}

/// values - share * other.
void subtract(Vector& values, double share, const Vector& other) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] -= share * other[i];
}

/// Makes a unit vector of what isn't zero; its length before.
double normalise(Vector& values) {
  const double length = std::sqrt(product(values, values));
  for (double& value : values) value /= length > 0 ? length : 1;
  return length;
}

/// The products of centred rows with each other, which squared distances tell, times a vector.
Vector gram_times(const Tensor& distances, Vector values) {
  const auto count = distances.size(0);
  const double* all = distances.data_ptr<double>();
  centre(values);
  Vector result(values.size());
  for_rows(count, [&](std::int64_t i) { result[i] = -product(all + i * count, values.data(), count) / 2; });
  centre(result);
  return result;
}

/// The coordinates along the first two components, each with its largest coordinate positive, by subspace
/// iteration. Components of nearly equal variance may come out mixed: one start is as good as the other.
std::array<Vector, 2> principal_coordinates(const Tensor& distances) {
  constexpr int most = 300;
  constexpr double tolerance = 1e-12;
  const auto count = static_cast<std::size_t>(distances.size(0));
  RandomStream stream(0, "t-SNE", "components");
  std::array<Vector, 2> axes{Vector(count), Vector(count)};
  for (auto& axis : axes) std::generate(axis.begin(), axis.end(), [&] { return stream.normal(); });
  std::array<double, 2> variances{};
  for (int i = 0; i < most; ++i) {
    const auto before = variances;
    for (auto& axis : axes) axis = gram_times(distances, axis);
    variances[0] = normalise(axes[0]);
    subtract(axes[1], product(axes[0], axes[1]), axes[0]);
    variances[1] = normalise(axes[1]);
    if (std::abs(variances[0] - before[0]) + std::abs(variances[1] - before[1]) <= tolerance * variances[0])
      break;
  }
  for (std::size_t k = 0; k < axes.size(); ++k) {
    const auto largest = *std::max_element(axes[k].begin(), axes[k].end(),
                                           [](double a, double b) { return std::abs(a) < std::abs(b); });
    for (double& value : axes[k]) value *= std::copysign(std::sqrt(variances[k]), largest);
  }
  return axes;
}

Tensor principal_start(const Tensor& distances) {
  const auto axes = principal_coordinates(distances);
  const auto count = distances.size(0);
  const double deviation = std::sqrt(product(axes[0], axes[0]) / static_cast<double>(count));
  Tensor points = at::empty({count, 2}, at::kDouble);
  auto* values = points.data_ptr<double>();
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t k = 0; k < 2; ++k)
      values[2 * i + k] = deviation > 0 ? axes[k][i] / deviation * kStartDeviation : 0;
  }
  return points;
}

Tensor random_start(std::int64_t count, std::uint64_t seed) {
  RandomStream stream(seed, "t-SNE", "start");
  Tensor points = at::empty({count, 2}, at::kDouble);
  std::generate_n(points.data_ptr<double>(), points.numel(),
                  [&] { return kStartDeviation * stream.normal(); });
  return points;
}

}  // namespace

// --- probabilities ---------------------------------------------------------------------------------

Tensor squared_distances(const Tensor& rows) {
  const Tensor whole = rows.contiguous();
  const auto count = whole.size(0), features = whole.size(1);
  Tensor distances = at::empty({count, count}, at::kDouble);
  const double* values = whole.data_ptr<double>();
  auto* out = distances.data_ptr<double>();
  for_rows(count, [&](std::int64_t i) {
    for (std::int64_t j = 0; j < count; ++j)
      out[i * count + j] = squared_distance(values + i * features, values + j * features, features);
  });
  return distances;
}

Tensor neighbour_probabilities(const Tensor& distances, double perplexity) {
  const auto count = distances.size(0);
  if (!(perplexity > 1 && perplexity < static_cast<double>(count) - 1)) {
    throw Error(fmt::format("a perplexity of {} needs more than {} rows, and there are {}", perplexity,
                            perplexity + 1, count));
  }
  Tensor probabilities = at::empty({count, count}, at::kDouble);
  const double* all = distances.data_ptr<double>();
  auto* out = probabilities.data_ptr<double>();
  for_rows(count, [&](std::int64_t i) {
    search_row(all + i * count, out + i * count, count, i, std::log(perplexity));
  });
  return probabilities;
}

Tensor joint_probabilities(const Tensor& distances, double perplexity) {
  const Tensor conditional = neighbour_probabilities(distances, perplexity);
  return (conditional + conditional.t()).div_(2 * static_cast<double>(conditional.size(0)));
}

// --- divergence ------------------------------------------------------------------------------------

double tsne_divergence(const Tensor& joint, const Tensor& points) {
  const auto count = joint.size(0);
  const Tensor distances = squared_distances(points);
  const double *p = joint.data_ptr<double>(), *d = distances.data_ptr<double>();
  double weights = -static_cast<double>(count);  // the diagonal's don't count
  for (std::int64_t k = 0; k < count * count; ++k) weights += 1 / (1 + d[k]);
  double divergence = 0;
  for (std::int64_t k = 0; k < count * count; ++k) {
    if (p[k] > 0) divergence += p[k] * std::log(p[k] * weights * (1 + d[k]));
  }
  return divergence;
}

Tensor tsne_gradient(const Tensor& joint, const Tensor& points, double exaggeration) {
  const auto count = joint.size(0);
  const Tensor apart = points.t().contiguous();
  const double* x = apart.data_ptr<double>();
  const Plane plane{x, x + count, count};
  std::vector<Forces> forces(static_cast<std::size_t>(count));
  for_rows(count,
           [&](std::int64_t i) { forces[i] = forces_on(plane, i, joint.data_ptr<double>() + i * count); });
  double weights = -static_cast<double>(count);
  for (const auto& force : forces) weights += force.weight;
  Tensor gradient = at::empty({count, 2}, at::kDouble);
  auto* out = gradient.data_ptr<double>();
  for (const auto& force : forces) {
    *out++ = 4 * (exaggeration * force.attraction_x - force.repulsion_x / weights);
    *out++ = 4 * (exaggeration * force.attraction_y - force.repulsion_y / weights);
  }
  return gradient;
}

// --- descent ---------------------------------------------------------------------------------------

Tsne::Tsne(const Tensor& rows, const TsneOptions& options) {
  if (!rows.isfinite().all().item<bool>()) throw Error("t-SNE takes finite numbers only");
  const auto distances = squared_distances(rows);
  if (!distances.lt(kFarthest * kFarthest).all().item<bool>())
    throw Error(fmt::format("t-SNE takes rows that are less than {} apart", kFarthest));
  joint_ = joint_probabilities(distances, options.perplexity);
  points_ = options.start == TsneOptions::Start::pca ? principal_start(distances)
                                                     : random_start(rows.size(0), options.seed);
  rate_ = std::max(static_cast<double>(rows.size(0)) / kEarlyExaggeration / 4, 50.0);
}

void Tsne::step() {
  constexpr double slow = 0.5, fast = 0.8;  // momenta
  constexpr double up = 0.2, down = 0.8, least_gain = 0.01;
  const bool early = done_ < kExaggeratedIterations;
  if (done_ == 0 || done_ == kExaggeratedIterations) {
    update_ = at::zeros_like(points_);
    gains_ = at::ones_like(points_);
  }
  const Tensor gradient = tsne_gradient(joint_, points_, early ? kEarlyExaggeration : 1);
  const double* slope = gradient.data_ptr<double>();
  double *update = update_.data_ptr<double>(), *gain = gains_.data_ptr<double>(),
         *point = points_.data_ptr<double>();
  for (std::int64_t k = 0; k < points_.numel(); ++k) {
    gain[k] = std::max(update[k] * slope[k] < 0 ? gain[k] + up : gain[k] * down, least_gain);
    update[k] = (early ? slow : fast) * update[k] - rate_ * gain[k] * slope[k];
    point[k] += update[k];
  }
  ++done_;
}

}  // namespace sr
