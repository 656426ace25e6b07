#include "degrade/pipeline.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numeric>

#include "core/presets.h"
#include "core/records.h"

namespace sr {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kLargestKernel = 255;
constexpr double kLargestFactor = 64;

// --- values ------------------------------------------------------------------------------------------------

/// Refuses keys that neither every operator has nor this one.
void know(const TomlValue& table, std::vector<std::string> own) {
  own.insert(own.begin(), {"op", "prob", "per_sample", "only_at_scale"});
  refuse_unknown_keys(table, own);
}

/// [from, to] or { from, to, from_per_factor, to_per_factor, step }, within [low, high].
Range range_of(const TomlValue& value, double low, double high) {
  Range range;
  if (value.is_table()) {
    refuse_unknown_keys(value, {"from", "to", "from_per_factor", "to_per_factor", "step"});
    range.from = value.at("from").number_in(low, high);
    range.to = value.at("to").number_in(low, high);
    if (const auto* growth = value.find("from_per_factor"))
      range.from_per_factor = growth->number_in(0, high);
    if (const auto* growth = value.find("to_per_factor")) range.to_per_factor = growth->number_in(0, high);
    if (const auto* step = value.find("step")) range.step = step->number_in(0, kInfinity);
  } else {
    if (value.list().size() != 2) value.refuse("a range is two numbers, [from, to]");
    range.from = value.list()[0].number_in(low, high);
    range.to = value.list()[1].number_in(low, high);
  }
  if (std::isfinite(high) && range.from_per_factor + range.to_per_factor > 0) {
    value.refuse("this range cannot grow with the factor");
  }
  if (range.step > 0 && !((range.to - range.from) / range.step < 1e9)) value.refuse("the step is too small");
  const auto ends_early = [&](double factor) {
    return range.to + range.to_per_factor * factor < range.from + range.from_per_factor * factor;
  };
  if (ends_early(1) || ends_early(kLargestFactor)) {
    value.refuse(fmt::format("the range ends at {}, before it begins at {}", number_text(range.to),
                             number_text(range.from)));
  }
  return range;
}

Range range_at(const TomlValue& table, const char* key, double low, double high) {
  return range_of(table.at(key), low, high);
}

double probability_at(const TomlValue& table, const char* key, double otherwise) {
  const auto* value = table.find(key);
  return value == nullptr ? otherwise : value->number_in(0, 1);
}

void check_sum(const TomlValue& value, const std::vector<double>& probabilities) {
  const double sum = std::accumulate(probabilities.begin(), probabilities.end(), 0.0);
  if (std::abs(sum - 1) > 1e-6) {
    value.refuse(fmt::format("the probabilities sum to {}, not to 1", number_text(sum)));
  }
}

template <class T>
T named(const TomlValue& place, const std::string& name, const std::optional<T>& value) {
  if (!value) place.refuse(fmt::format("'{}' is not known here", name));
  return *value;
}

/// { name = probability, ... }, or [name, ...] with equal ones.
template <class Parse>
auto choice_of(const TomlValue& value, const Parse& parse) {
  Choice<typename decltype(parse(std::string()))::value_type> choice;
  if (value.is_list()) {
    if (value.list().empty()) value.refuse("at least one name is wanted here");
    for (const auto& item : value.list())
      choice.values.push_back(named(item, item.text(), parse(item.text())));
    choice.probabilities.assign(choice.values.size(), 1.0 / static_cast<double>(choice.values.size()));
    return choice;
  }
  for (const auto& [name, probability] : value.table()) {
    choice.values.push_back(named(probability, name, parse(name)));
    choice.probabilities.push_back(probability.number_in(0, 1));
  }
  check_sum(value, choice.probabilities);
  return choice;
}

template <class T>
auto parser(std::vector<std::pair<std::string, T>> names) {
  return [names = std::move(names)](const std::string& name) {
    const auto at = std::find_if(names.begin(), names.end(), [&](const auto& n) { return n.first == name; });
    return at == names.end() ? std::nullopt : std::optional<T>(at->second);
  };
}

// --- operators ---------------------------------------------------------------------------------------------

SharpenSpec sharpen_spec(const TomlValue& table) {
  know(table, {"radius", "weight", "threshold"});
  UsmOptions usm;
  if (const auto* value = table.find("radius")) usm.radius = static_cast<int>(value->integer_in(1, 1000));
  if (const auto* value = table.find("weight")) usm.weight = value->number_in(0, 100);
  if (const auto* value = table.find("threshold")) usm.threshold = value->number_in(0, 255);
  return {usm};
}

bool may_be(const BlurSpec& spec, std::initializer_list<KernelKind> kinds) {
  for (size_t i = 0; i < spec.kernels.values.size(); i++) {
    const bool listed = std::find(kinds.begin(), kinds.end(), spec.kernels.values[i]) != kinds.end();
    if (listed && spec.kernels.probabilities[i] > 0) return true;
  }
  return false;
}

void check_odd(const TomlValue& value, const Range& size) {
  const auto odd = [](double side) { return std::fmod(side, 2) == 1; };
  const bool steps = size.from == size.to || (size.step > 0 && std::fmod(size.step, 2) == 0);
  if (!odd(size.from) || !odd(size.to) || !steps)
    value.refuse("kernel sizes are odd: from, to odd, step even");
}

Range beta_range(const TomlValue& value) {
  constexpr double kMost = 1000;
  const auto range = range_of(value, 0, kMost);
  if (range.from > 1 || range.to < 1)
    value.refuse("half of the draws lie on either side of 1: from <= 1 <= to");
  return range;
}

BlurSpec blur_spec(const TomlValue& table) {
  know(table, {"size", "sinc", "kernels", "sigma", "variance", "rotation", "beta_generalized", "beta_plateau",
               "cutoff", "cutoff_small"});
  using enum KernelKind;
  BlurSpec spec;
  spec.size = range_at(table, "size", 1, kLargestKernel);
  check_odd(table.at("size"), spec.size);
  spec.sinc = probability_at(table, "sinc", 0);
  if (spec.sinc < 1) {
    spec.kernels = choice_of(table.at("kernels"), kernel_kind);
    if (may_be(spec, {sinc, pulse}))
      table.at("kernels").refuse("sinc has a key of its own, a pulse is no blur");
    if (table.find("variance") != nullptr) spec.variance = range_at(table, "variance", 0, kInfinity);
    const bool anisotropic = may_be(spec, {aniso, generalized_aniso, plateau_aniso});
    const bool by_sigma =
        may_be(spec, {iso, generalized_iso, plateau_iso}) || table.find("variance") == nullptr;
    if (by_sigma) spec.sigma = range_at(table, "sigma", 0, kInfinity);
    if (anisotropic) spec.rotation = range_at(table, "rotation", -1, 1);
    if (may_be(spec, {generalized_iso, generalized_aniso}))
      spec.beta_generalized = beta_range(table.at("beta_generalized"));
    if (may_be(spec, {plateau_iso, plateau_aniso})) spec.beta_plateau = beta_range(table.at("beta_plateau"));
  }
  if (spec.sinc > 0) {
    spec.cutoff = range_at(table, "cutoff", 0, 1);
    spec.cutoff_small = table.find("cutoff_small") ? range_at(table, "cutoff_small", 0, 1) : spec.cutoff;
  }
  return spec;
}

void read_factor(const TomlValue& table, ResizeSpec& spec) {
  constexpr double kMost = kLargestFactor;
  int ways = 0;
  for (const auto* key : {"factor", "divisor", "direction"}) ways += table.find(key) != nullptr;
  if (ways > 1) table.refuse("one of 'factor', 'divisor' and 'direction' is enough");
  if (const auto* factor = table.find("factor")) {
    spec.factor = factor->number_in(1 / kMost, kMost);
  } else if (table.find("divisor") != nullptr) {
    spec.divisor = range_at(table, "divisor", 0, kInfinity);
  } else if (const auto* direction = table.find("direction")) {
    using enum Direction;
    spec.direction = choice_of(*direction, parser<Direction>({{"up", up}, {"down", down}, {"keep", keep}}));
    spec.up = range_at(table, "up", 1, kMost);
    spec.down = range_at(table, "down", 0, 1);
  }
}

ResizeSpec resize_spec(const TomlValue& table) {
  know(table, {"modes", "of", "factor", "divisor", "direction", "up", "down"});
  ResizeSpec spec;
  spec.modes = choice_of(table.at("modes"), resize_mode);
  if (const auto* of = table.find("of")) {
    if (of->text() != "lr" && of->text() != "current") of->refuse("'lr' or 'current' is wanted here");
    spec.of_lr = of->text() == "lr";
  }
  read_factor(table, spec);
  return spec;
}

SubsampleSpec subsample_spec(const TomlValue& table) {
  know(table, {"size", "sigma"});
  const auto size = static_cast<int>(table.at("size").integer_in(1, kLargestKernel));
  if (size % 2 == 0) table.at("size").refuse("kernel sizes are odd");
  return {size, range_at(table, "sigma", 0, kInfinity)};
}

NoiseSpec noise_spec(const TomlValue& table) {
  know(table, {"kinds", "gray", "sigma", "poisson_scale", "photons"});
  using enum NoiseKind;
  NoiseSpec spec;
  spec.kinds = choice_of(table.at("kinds"), parser<NoiseKind>({{"gaussian", gaussian},
                                                               {"poisson", poisson},
                                                               {"correlated", correlated},
                                                               {"speckle", speckle},
                                                               {"photons", photons}}));
  spec.gray = probability_at(table, "gray", 0);
  for (const auto kind : spec.kinds.values) {
    if (kind == gaussian || kind == speckle) spec.sigma = range_at(table, "sigma", 0, 255);
    if (kind == poisson) spec.poisson_scale = range_at(table, "poisson_scale", 0, 1000);
    if (kind == photons) spec.photons = range_at(table, "photons", 0, 9);
  }
  return spec;
}

JpegSpec jpeg_spec(const TomlValue& table) {
  know(table, {"codec", "quality"});
  const auto& codec = table.at("codec");
  if (codec.text() != "diff" && codec.text() != "libjpeg") codec.refuse("'diff' or 'libjpeg' is wanted here");
  const bool differentiable = codec.text() == "diff";
  const auto& quality = table.at("quality");
  const auto range = range_of(quality, 1, 100);
  if (differentiable && range.to == 100)
    quality.refuse("DiffJPEG divides by zero at quality 100; stay below");
  const bool whole = range.from == std::floor(range.from) && range.step == std::floor(range.step);
  if (!differentiable && !(whole && (range.step > 0 || range.from == range.to))) {
    quality.refuse("libjpeg's qualities are whole numbers: give a step");
  }
  return {differentiable, range};
}

CameraSpec camera_spec(const TomlValue& table) {
  know(table,
       {"exposure", "red_gain", "blue_gain", "shot_noise", "read_slope", "read_offset", "read_deviation"});
  CameraSpec spec;
  spec.exposure = range_at(table, "exposure", -8, 8);
  spec.red_gain = range_at(table, "red_gain", 1, 8);
  spec.blue_gain = range_at(table, "blue_gain", 1, 8);
  if (table.at("shot_noise").is_table()) table.at("shot_noise").refuse("a range [from, to] is wanted here");
  const auto shot = range_at(table, "shot_noise", 1e-12, 1);
  spec.shot_noise = {std::log(shot.from), std::log(shot.to), 0, 0, 0};
  spec.read_slope = table.at("read_slope").number();
  spec.read_offset = table.at("read_offset").number();
  spec.read_deviation = table.at("read_deviation").number_in(0, kInfinity);
  return spec;
}

RoundSpec round_spec(const TomlValue& table) {
  know(table, {});
  return {};
}

Spec spec_of(const TomlValue& table) {
  const auto& op = table.at("op");
  const auto& name = op.text();
  if (name == "sharpen") return sharpen_spec(table);
  if (name == "blur") return blur_spec(table);
  if (name == "resize") return resize_spec(table);
  if (name == "subsample") return subsample_spec(table);
  if (name == "noise") return noise_spec(table);
  if (name == "jpeg") return jpeg_spec(table);
  if (name == "camera") return camera_spec(table);
  if (name == "round") return round_spec(table);
  op.refuse(fmt::format("'{}' is no operator (sharpen, blur, resize, subsample, noise, jpeg, camera, round)",
                        name));
}

StepSpec step_spec(const std::string& name, const TomlValue& table) {
  const auto* scale = table.find("only_at_scale");
  const double only_at_scale = scale == nullptr ? 0 : scale->number_in(1, kLargestFactor);
  StepSpec step{name, probability_at(table, "prob", 1), false, only_at_scale, spec_of(table)};
  if (const auto* per_sample = table.find("per_sample")) {
    step.per_sample = per_sample->flag();
    if (!std::holds_alternative<BlurSpec>(step.spec))
      per_sample->refuse("only a blur can be left out of one sample");
  }
  return step;
}

// --- the whole ---------------------------------------------------------------------------------------------

class OrderReader {
 public:
  explicit OrderReader(const std::vector<StepSpec>& steps) : steps_(steps) {}

  /// "step", [sequence], { shuffle = [...], keep = [names] } or { choose = [...], probabilities = [...] }.
  Order read(const TomlValue& value) const {
    if (value.is_text()) return {Order::Kind::step, step_named(value), {}, {}, {}};
    if (value.is_list()) return {Order::Kind::sequence, 0, children(value), {}, {}};
    return value.find("choose") != nullptr ? choose(value) : shuffle(value);
  }

 private:
  size_t step_named(const TomlValue& value) const {
    for (size_t i = 0; i < steps_.size(); i++) {
      if (steps_[i].name == value.text()) return i;
    }
    value.refuse(fmt::format("there is no table [{}]", value.text()));
  }

  std::vector<Order> children(const TomlValue& list) const {
    std::vector<Order> orders;
    for (const auto& item : list.list()) orders.push_back(read(item));
    return orders;
  }

  static bool holds(const Order& order, size_t step) {
    if (order.kind == Order::Kind::step) return order.step == step;
    return std::any_of(order.children.begin(), order.children.end(),
                       [&](const Order& child) { return holds(child, step); });
  }

  Order shuffle(const TomlValue& value) const {
    refuse_unknown_keys(value, {"shuffle", "keep"});
    Order order{Order::Kind::shuffle, 0, children(value.at("shuffle")), {}, {}};
    order.kept.resize(order.children.size());
    const auto* keep = value.find("keep");
    if (keep == nullptr) return order;
    for (const auto& name : keep->list()) {
      const auto step = step_named(name);
      bool found = false;
      for (size_t i = 0; i < order.children.size(); i++) {
        if (holds(order.children[i], step)) found = order.kept[i] = true;
      }
      if (!found) name.refuse(fmt::format("'{}' is not among the shuffled", name.text()));
    }
    return order;
  }

  Order choose(const TomlValue& value) const {
    refuse_unknown_keys(value, {"choose", "probabilities"});
    Order order{Order::Kind::choose, 0, children(value.at("choose")), {}, {}};
    const auto& list = value.at("probabilities");
    for (const auto& probability : list.list()) order.probabilities.push_back(probability.number_in(0, 1));
    if (order.probabilities.size() != order.children.size())
      list.refuse("one probability for each choice is wanted");
    check_sum(list, order.probabilities);
    return order;
  }

  const std::vector<StepSpec>& steps_;
};

PairSpec pair_spec(const TomlValue& table) {
  refuse_unknown_keys(table, {"flip", "sharpen", "upscaled"});
  const auto flag = [&](const char* key) { return table.find(key) != nullptr && table.at(key).flag(); };
  return {probability_at(table, "flip", 0), flag("sharpen"), flag("upscaled")};
}

/// The HR half can be kept sharpened only where sharpening is what certainly happens first.
void check_pair(const Pipeline& pipeline, const TomlValue& root) {
  if (!pipeline.pair.sharpen) return;
  const auto& children = pipeline.order.children;
  const bool first = !children.empty() && children.front().kind == Order::Kind::step;
  const auto* step = first ? &pipeline.steps[children.front().step] : nullptr;
  if (step == nullptr || step->prob < 1 || step->only_at_scale > 0 ||
      !std::holds_alternative<SharpenSpec>(step->spec)) {
    root.at("pair").at("sharpen").refuse("the first step must be a sharpen with prob = 1 for this");
  }
}

}  // namespace

Pipeline read_pipeline(const std::string& name_or_file, const fs::path& folder) {
  const Presets presets(folder, "degrade");
  const auto file = presets.find(name_or_file);
  const auto root = presets.read(file);
  Pipeline pipeline;
  pipeline.name = file.stem().string();
  for (const auto& [key, value] : root.table()) {
    if (key == "scale") {
      pipeline.scale = value.number_in(1, kLargestFactor);
    } else if (key == "crop_to_scale") {
      pipeline.crop_to_scale = value.flag();
    } else if (key == "pair") {
      pipeline.pair = pair_spec(value);
    } else if (value.is_table()) {
      pipeline.steps.push_back(step_spec(key, value));
    } else if (key != "order" && key != "extends") {
      value.refuse(fmt::format(
          "'{}' is not known here (known: extends, scale, crop_to_scale, order, and tables)", key));
    }
  }
  const auto& order = root.at("order");
  if (order.list().empty()) order.refuse("a pipeline has at least one step");
  pipeline.order = OrderReader(pipeline.steps).read(order);
  check_pair(pipeline, root);
  return pipeline;
}

}  // namespace sr
