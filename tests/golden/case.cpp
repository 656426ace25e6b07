#include "case.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>

#include "core/error.h"
#include "core/records.h"
#include "core/torch.h"
#include "weights/safetensors.h"

namespace golden {
namespace {

std::uint64_t fnv1a64(const std::string& text) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return hash;
}

constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15u;

/// A number in [0, 1) of 53 bits, as ../shared/golden/README.md defines it.
double unit(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1p-53;
}

/// A float32 tensor whose element i is value(i), reckoned in float64.
template <typename Value>
Tensor made(const std::vector<std::int64_t>& shape, const Value& value) {
  Tensor tensor = at::empty(shape, at::kFloat);
  float* out = tensor.data_ptr<float>();
  at::parallel_for(0, tensor.numel(), 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      out[i] = static_cast<float>(value(static_cast<std::uint64_t>(i)));
  });
  return tensor;
}

void add_formula_a(const nlohmann::json& info, StateDict& parameters) {
  const auto seed = info.at("seed").get<std::uint64_t>();
  for (const auto& row : info.at("weights")) {
    const auto key = row.at(0).get<std::string>();
    const std::uint64_t start = fnv1a64(key) + seed;
    const double mean = row.at(2), amplitude = row.at(3);
    parameters[key] = made(row.at(1), [&](std::uint64_t i) {
      return mean + amplitude * (2 * unit(start + (i + 1) * kStep) - 1);
    });
  }
}

Tensor formula_b(const std::string& name, const std::vector<std::int64_t>& shape, double scale) {
  const std::uint64_t start = fnv1a64(name) + kStep;
  if (name.ends_with("running_var"))
    return made(shape, [&](std::uint64_t i) { return 0.5 + unit(start + i); });
  double mean = 0, amplitude = 0.1;
  if (shape.size() >= 2) {
    double fan_in = 1;
    for (std::size_t d = 1; d < shape.size(); ++d) fan_in *= static_cast<double>(shape[d]);
    amplitude = scale * std::sqrt(3.0) / std::sqrt(fan_in);
  } else if (shape.size() == 1 && name.ends_with("weight")) {
    mean = 1, amplitude = 0.5;
  }
  return made(shape, [&](std::uint64_t i) { return mean + (2 * unit(start + i) - 1) * amplitude; });
}

void add_formula_b(const nlohmann::json& formula, StateDict& parameters) {
  for (const auto& row : formula.at("tensors")) {
    parameters[row.at(0).get<std::string>()] = formula_b(row.at(1), row.at(2), formula.at("scale"));
  }
}

/// The names after `prefix` of the keys that begin with it.
std::vector<std::string> names_after(const StateDict& tensors, const std::string& prefix) {
  std::vector<std::string> names;
  for (const auto& [key, tensor] : tensors) {
    if (key.starts_with(prefix)) names.push_back(key.substr(prefix.size()));
  }
  return names;
}

}  // namespace

// --- Case ----------------------------------------------------------------------------------------

Case::Case(const fs::path& file, nlohmann::json info, StateDict tensors)
    : path(file),
      arch_(info.at("arch").get<std::string>()),
      info_(std::move(info)),
      tensors_(std::move(tensors)) {}

std::optional<Case> Case::read(const fs::path& path) {
  sr::Safetensors file = sr::read_safetensors(path);
  const auto text = file.metadata.find("case");
  if (text == file.metadata.end()) return std::nullopt;
  return Case(path, nlohmann::json::parse(text->second), std::move(file.tensors));
}

Case::Case(const fs::path& path) {
  auto found = read(path);
  if (!found) throw sr::Error(fmt::format("{}: holds no case", path.string()));
  *this = std::move(*found);
}

Tensor Case::tensor(const std::string& key) const {
  const auto found = tensors_.find(key);
  if (found == tensors_.end()) throw sr::Error(fmt::format("the case has no tensor {}", key));
  return found->second;
}

Tensor Case::in(const std::string& name) const { return tensor("in." + name); }

Tensor Case::out(const std::string& name) const {
  asked_.insert(name);
  return tensor("out." + name);
}

std::vector<std::string> Case::outputs() const { return names_after(tensors_, "out."); }

std::vector<std::string> Case::forgotten() const {
  std::vector<std::string> names = outputs();
  std::erase_if(names, [&](const std::string& name) { return asked_.count(name) != 0; });
  return names;
}

StateDict Case::parameters() const {
  StateDict parameters;
  for (const std::string& name : names_after(tensors_, "param.")) parameters[name] = tensor("param." + name);
  if (info_.contains("weights")) add_formula_a(info_, parameters);
  if (info_.contains("formula")) add_formula_b(info_.at("formula"), parameters);
  for (const std::string& name : names_after(tensors_, "probe.")) {
    const Tensor probe = tensor("probe." + name);
    if (!parameters.at(name).flatten().slice(0, 0, probe.numel()).equal(probe)) {
      throw sr::Error(fmt::format("the formula makes other values than probe.{}", name));
    }
  }
  return parameters;
}

std::vector<Row> read_table(const fs::path& path) {
  std::ifstream in(path.string());
  std::vector<Row> rows;
  std::vector<std::string> names;
  for (std::string line; std::getline(in, line);) {
    const std::vector<std::string> fields = sr::tsv_fields(line);
    if (names.empty()) {
      names = fields;
      continue;
    }
    Row& row = rows.emplace_back();
    for (std::size_t i = 0; i < std::min(names.size(), fields.size()); ++i) row[names[i]] = fields[i];
  }
  return rows;
}

fs::path Options::data_for(const fs::path& fixture) const {
  return data ? *data : (fs::absolute(fixture).parent_path() / "../../data").lexically_normal();
}

StateDict below(const StateDict& tensors, const std::string& prefix) {
  StateDict found;
  for (const std::string& name : names_after(tensors, prefix)) found[name] = tensors.at(prefix + name);
  return found;
}

Tensor token_row(const std::string& numbers, int64_t length) {
  std::istringstream stream(numbers);
  std::vector<int64_t> tokens(std::istream_iterator<int64_t>(stream), {});
  tokens.resize(length);
  return torch::tensor(tokens);
}

// --- Report --------------------------------------------------------------------------------------

std::optional<std::pair<Tensor, Tensor>> Report::comparable(const std::string& what, const Tensor& actual,
                                                            const Tensor& expected) {
  if (actual.sizes() != expected.sizes()) {
    fail(fmt::format("{}: shape [{}] in place of [{}]", what, fmt::join(actual.sizes(), ","),
                     fmt::join(expected.sizes(), ",")));
    return std::nullopt;
  }
  const Tensor a = actual.detach().cpu().to(at::kDouble), e = expected.detach().cpu().to(at::kDouble);
  const Tensor finite = e.isfinite();
  const Tensor alike = at::where(finite, a.isfinite(), a.eq(e).logical_or(a.isnan().logical_and(e.isnan())));
  if (!alike.all().item<bool>()) {
    fail(fmt::format("{}: infinite or NaN in other places than expected", what));
    return std::nullopt;
  }
  const Tensor zero = at::zeros({}, at::kDouble);
  return std::pair{at::where(finite, a, zero), at::where(finite, e, zero)};
}

Tensor Report::errors(const Tensor& actual, const Tensor& expected) {
  ++comparisons_;
  Tensor errors = (actual - expected).abs();
  if (errors.numel() == 0) return errors;
  const double worst = errors.max().item<double>(), magnitude = expected.abs().max().item<double>();
  worst_absolute_ = std::max(worst_absolute_, worst);
  if (worst > 0) worst_relative_ = std::max(worst_relative_, worst / magnitude);
  return errors;
}

void Report::compare(const std::string& what, const Tensor& actual, const Tensor& expected,
                     double tolerance) {
  const auto pair = comparable(what, actual, expected);
  if (!pair) return;
  const Tensor found = errors(pair->first, pair->second);
  const double worst = found.numel() == 0 ? 0 : found.max().item<double>();
  if (worst > tolerance) fail(fmt::format("{}: off by {:.3g}, may be {:.3g}", what, worst, tolerance));
}

void Report::compare_relative(const std::string& what, const Tensor& actual, const Tensor& expected,
                              double relative) {
  const auto pair = comparable(what, actual, expected);
  if (!pair) return;
  const Tensor excess = errors(pair->first, pair->second) - pair->second.abs() * relative;
  const auto beyond = excess.gt(0).sum().item<std::int64_t>();
  if (beyond > 0) {
    fail(fmt::format("{}: {} of {} values off by more than {:.3g} of themselves", what, beyond,
                     excess.numel(), relative));
  }
}

void Report::compare_integers(const std::string& what, const Tensor& actual, const Tensor& expected, int step,
                              double fraction) {
  const auto pair = comparable(what, actual, expected);
  if (!pair) return;
  const Tensor found = errors(pair->first, pair->second);
  if (found.numel() == 0) return;
  const double worst = found.max().item<double>(), off = found.gt(0).to(at::kDouble).mean().item<double>();
  if (worst > step || off > fraction) {
    fail(fmt::format("{}: {:.3g} % of the samples off, by {} at most; may be {:.3g} %, by {}", what,
                     100 * off, worst, 100 * fraction, step));
  }
}

void Report::compare(const std::string& what, double actual, double expected, double tolerance) {
  compare(what, at::scalar_tensor(actual, at::kDouble), at::scalar_tensor(expected, at::kDouble), tolerance);
}

void Report::require(const std::string& what, bool holds) {
  ++comparisons_;
  if (!holds) fail(fmt::format("{}: does not hold", what));
}

}  // namespace golden
