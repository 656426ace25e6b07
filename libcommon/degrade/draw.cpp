#include "degrade/draw.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numbers>

#include "core/error.h"
#include "core/random.h"
#include "image/resize.h"

namespace sr {
namespace {

/// Below this a Gaussian is a pulse in double precision, and 0 is no deviation.
constexpr double kSmallestSigma = 1e-3;

constexpr double kSmallestDivisor = 1e-9;

bool is_given(const Range& range) { return range.to > 0 || range.to_per_factor > 0; }

class Drawer {
 public:
  /// `shape` decides what a batch must share, `values` the rest.
  Drawer(const Pipeline& pipeline, const HrCut& cut, RandomStream shape, RandomStream values, bool batch)
      : pipeline_(pipeline),
        shape_(shape),
        values_(values),
        hr_height_(cut.height),
        hr_width_(cut.width),
        height_(cut.height),
        width_(cut.width),
        factor_(pipeline.scale),
        batch_(batch) {}

  std::vector<Step> run() {
    follow(pipeline_.order);
    return std::move(steps_);
  }

 private:
  // --- order
  void follow(const Order& order) {
    switch (order.kind) {
      case Order::Kind::step: return step(pipeline_.steps[order.step]);
      case Order::Kind::choose: return follow(order.children[shape_.choice(order.probabilities)]);
      case Order::Kind::sequence:
        for (const auto& child : order.children) follow(child);
        return;
      case Order::Kind::shuffle:
        for (const auto i : shuffled(order)) follow(order.children[i]);
    }
  }

  /// Fisher-Yates; then the kept ones are put back in order, on the places that they have got.
  std::vector<size_t> shuffled(const Order& order) {
    std::vector<size_t> places(order.children.size());
    for (size_t i = 0; i < places.size(); i++) places[i] = i;
    for (size_t i = places.size(); i > 1; i--) {
      std::swap(places[i - 1],
                places[static_cast<size_t>(shape_.integer(0, static_cast<std::int64_t>(i) - 1))]);
    }
    size_t next = 0;
    for (auto& place : places) {
      if (!order.kept[place]) continue;
      while (!order.kept[next]) next++;
      place = next++;
    }
    return places;
  }

  void step(const StepSpec& spec) {
    if (spec.only_at_scale > 0 && spec.only_at_scale != pipeline_.scale) return;
    name_ = &spec.name;
    if (spec.prob < 1 && (spec.per_sample ? values_ : shape_).uniform() >= spec.prob) {
      if (spec.per_sample && batch_) add(Blur{KernelKind::pulse, 1, 0, 0, 0, 0, 0});
      return;
    }
    std::visit([this](const auto& one) { draw(one); }, spec.spec);
  }

  void add(const Operation& operation) { steps_.push_back({*name_, operation}); }

  // --- values
  double draw_from(const Range& range, RandomStream& stream) const {
    const double from = range.from + range.from_per_factor * factor_;
    const double to = range.to + range.to_per_factor * factor_;
    if (range.step > 0) {
      const auto last = static_cast<std::int64_t>(std::floor((to - from) / range.step + 1e-9));
      return from + range.step * static_cast<double>(stream.integer(0, last));
    }
    return from < to ? stream.uniform(from, to) : from;
  }
  double value(const Range& range) { return draw_from(range, values_); }
  double sigma(const Range& range) { return std::max(value(range), kSmallestSigma); }
  template <class T>
  static T pick(const Choice<T>& choice, RandomStream& stream) {
    return choice.values[stream.choice(choice.probabilities)];
  }
  bool happens(double probability) { return values_.uniform() < probability; }
  std::int64_t key() { return values_.integer(0, (std::int64_t{1} << 53) - 1); }

  // --- operators
  void draw(const SharpenSpec& spec) { add(Sharpen{spec.usm}); }
  void draw(const RoundSpec&) { add(Round{}); }

  void draw(const BlurSpec& spec) {
    Blur blur;
    blur.size = static_cast<int>(value(spec.size));
    if (happens(spec.sinc)) {
      constexpr int kSmall = 13;
      blur.kernel = KernelKind::sinc;
      blur.cutoff = std::numbers::pi * value(blur.size < kSmall ? spec.cutoff_small : spec.cutoff);
    } else {
      blur.kernel = pick(spec.kernels, values_);
      draw_axes(spec, blur);
      draw_beta(spec, blur);
    }
    add(blur);
  }

  void draw_axes(const BlurSpec& spec, Blur& blur) {
    using enum KernelKind;
    const bool isotropic = blur.kernel == iso || blur.kernel == generalized_iso || blur.kernel == plateau_iso;
    if (isotropic) {
      blur.sigma_x = blur.sigma_y = sigma(spec.sigma);
      return;
    }
    const auto axis = [&] {
      return is_given(spec.variance) ? std::max(std::sqrt(value(spec.variance)), kSmallestSigma)
                                     : sigma(spec.sigma);
    };
    blur.sigma_x = axis();
    blur.sigma_y = axis();
    blur.rotation = std::numbers::pi * value(spec.rotation);
  }

  void draw_beta(const BlurSpec& spec, Blur& blur) {
    using enum KernelKind;
    if (blur.kernel == generalized_iso || blur.kernel == generalized_aniso)
      blur.beta = beta(spec.beta_generalized);
    if (blur.kernel == plateau_iso || blur.kernel == plateau_aniso) blur.beta = beta(spec.beta_plateau);
  }

  /// Half of the draws on either side of 1.
  double beta(const Range& range) {
    return happens(0.5) ? value({range.from, 1, 0, 0, 0}) : value({1, range.to, 0, 0, 0});
  }

  /// What the sides are multiplied by; 1 where the picture keeps its size.
  double resize_factor(const ResizeSpec& spec) {
    if (spec.factor > 0) return spec.factor;
    if (is_given(spec.divisor)) return 1 / std::max(draw_from(spec.divisor, shape_), kSmallestDivisor);
    if (spec.direction.values.empty()) return 1;
    switch (pick(spec.direction, shape_)) {
      case Direction::up: return draw_from(spec.up, shape_);
      case Direction::down: return draw_from(spec.down, shape_);
      case Direction::keep: break;
    }
    return 1;
  }

  void draw(const ResizeSpec& spec) {
    Resize resize;
    const double factor = resize_factor(spec);
    resize.mode = pick(spec.modes, shape_);
    if (spec.factor > 0) factor_ *= spec.factor;  // what is left to shrink
    using enum ResizeMode;
    const bool by_factor = resize.mode == area || resize.mode == bilinear || resize.mode == bicubic;
    check_pixels(spec.of_lr ? factor / pipeline_.scale : factor);
    if (spec.of_lr) {
      set_size(resize, of_lr(hr_height_, factor), of_lr(hr_width_, factor));
    } else if (resize.mode == matlab) {
      resize.factor = factor;
      set_current(resized_length(height_, factor), resized_length(width_, factor));
    } else if (by_factor) {
      resize.factor = factor;
      set_current(truncated(factor * static_cast<double>(height_)),
                  truncated(factor * static_cast<double>(width_)));
    } else {
      set_size(resize, truncated(factor * static_cast<double>(height_)),
               truncated(factor * static_cast<double>(width_)));
    }
    add(resize);
  }

  void check_pixels(double factor) const {
    const double pixels = static_cast<double>(std::max(height_, hr_height_)) * factor *
                          static_cast<double>(std::max(width_, hr_width_)) * factor;
    if (!(pixels <= kMostPixels))
      throw Error(fmt::format("step '{}' would make too large a picture", *name_));
  }

  static std::int64_t truncated(double side) { return static_cast<std::int64_t>(side); }
  /// In the official code's order of floating point.
  std::int64_t of_lr(std::int64_t side, double factor) const {
    return truncated(static_cast<double>(side) / pipeline_.scale * factor);
  }

  void set_size(Resize& resize, std::int64_t height, std::int64_t width) {
    set_current(height, width);
    resize.height = height;
    resize.width = width;
  }

  void set_current(std::int64_t height, std::int64_t width) {
    if (height < 1 || width < 1) {
      throw Error(fmt::format("{}x{} pixels are too few: step '{}' would leave nothing of them", hr_width_,
                              hr_height_, *name_));
    }
    height_ = height;
    width_ = width;
  }

  void draw(const SubsampleSpec& spec) {
    const auto scale = static_cast<int>(factor_);
    if (scale < 1 || scale != factor_) {
      throw Error(fmt::format("step '{}' needs a whole factor to shrink by, not {}", *name_, factor_));
    }
    add(Subsample{spec.size, scale, std::max(draw_from(spec.sigma, shape_), kSmallestSigma)});
    set_current((height_ + scale - 1) / scale, (width_ + scale - 1) / scale);
  }

  void draw(const NoiseSpec& spec) {
    switch (pick(spec.kinds, shape_)) {
      case NoiseKind::gaussian: return add(GaussianNoise{value(spec.sigma), happens(spec.gray), key()});
      case NoiseKind::speckle: return add(SpeckleNoise{value(spec.sigma), happens(spec.gray), key()});
      case NoiseKind::poisson: return add(PoissonNoise{value(spec.poisson_scale), happens(spec.gray), key()});
      case NoiseKind::photons:
        return add(PhotonNoise{std::pow(10, value(spec.photons)), happens(spec.gray), key()});
      case NoiseKind::correlated: return add(CorrelatedNoise{covariance(), key()});
    }
  }

  ChannelCovariance covariance() {
    std::array<double, 3> variances{};
    std::array<double, 9> matrix{};
    for (auto& variance : variances) variance = values_.uniform();
    for (auto& entry : matrix) entry = values_.uniform();
    return channel_covariance(variances, matrix);
  }

  void draw(const JpegSpec& spec) {
    const double quality = value(spec.quality);
    if (spec.differentiable) {
      add(DiffJpeg{quality});
    } else {
      add(CodecJpeg{static_cast<int>(quality)});
    }
  }

  void draw(const CameraSpec& spec) {
    CameraNoise camera;
    auto& isp = camera.isp;
    double sum = 0;
    for (auto& weight : isp.camera_weights) sum += weight = values_.uniform();
    for (auto& weight : isp.camera_weights) weight /= sum;
    isp.exposure = std::exp2(value(spec.exposure));
    isp.red_gain = value(spec.red_gain);
    isp.blue_gain = value(spec.blue_gain);
    const double shot = value(spec.shot_noise);
    isp.shot_noise = std::exp(shot);
    isp.read_noise =
        std::exp(spec.read_slope * shot + spec.read_offset + spec.read_deviation * values_.normal());
    camera.key = key();
    add(camera);
  }

  const Pipeline& pipeline_;
  RandomStream shape_, values_;
  std::int64_t hr_height_, hr_width_;
  std::int64_t height_, width_;  ///< of the picture as it is now
  double factor_;                ///< by which it is still to shrink, as far as fixed factors tell
  bool batch_;                   ///< all samples have the same steps
  const std::string* name_ = nullptr;
  std::vector<Step> steps_;
};

std::int64_t cropped(std::int64_t side, const Pipeline& pipeline) {
  const auto scale = static_cast<std::int64_t>(pipeline.scale);
  return pipeline.crop_to_scale ? side / scale * scale : side;
}

HrCut draw_cut(const Pipeline& pipeline, const Subject& subject, const CutOptions& options,
               RandomStream stream) {
  HrCut cut;
  cut.resize = options.resize;
  cut.height = options.resize > 0 ? options.resize : subject.height;
  cut.width = options.resize > 0 ? options.resize : subject.width;
  if (options.crop > 0) {
    if (cut.height < options.crop || cut.width < options.crop) {
      throw Error(fmt::format("{}x{} pixels are too few for a crop of {}x{}", cut.width, cut.height,
                              options.crop, options.crop));
    }
    cut.top = stream.integer(0, cut.height - options.crop);
    cut.left = stream.integer(0, cut.width - options.crop);
    cut.height = cut.width = options.crop;
  }
  cut.height = cropped(cut.height, pipeline);
  cut.width = cropped(cut.width, pipeline);
  if (cut.height == 0 || cut.width == 0) {
    throw Error(fmt::format("{}x{} pixels are too few for a scale of {}", subject.width, subject.height,
                            pipeline.scale));
  }
  cut.flip = options.pair && options.resize == 0 && stream.uniform() < pipeline.pair.flip;
  cut.sharpen = options.pair && pipeline.pair.sharpen;
  return cut;
}

RandomStream shape_stream(std::uint64_t seed, const std::string& item) {
  return {seed, item, "degrade shape"};
}
RandomStream value_stream(std::uint64_t seed, const std::string& item) {
  return {seed, item, "degrade values"};
}

}  // namespace

Recipe draw_recipe(const Pipeline& pipeline, const Subject& subject, const CutOptions& cut,
                   std::uint64_t seed) {
  Recipe recipe{subject.image,
                subject.height,
                subject.width,
                pipeline.scale,
                cut.pair && pipeline.pair.upscaled,
                draw_cut(pipeline, subject, cut, {seed, subject.image, "degrade cut"}),
                {}};
  recipe.steps = Drawer(pipeline, recipe.cut, shape_stream(seed, subject.image),
                        value_stream(seed, subject.image), false)
                     .run();
  return recipe;
}

std::vector<Recipe> draw_recipes(const Pipeline& pipeline, const Subject& subject, int count,
                                 std::uint64_t seed) {
  std::vector<Recipe> recipes;
  for (int i = 0; i < count; i++) {
    const auto name = fmt::format("{}#{}", subject.image, i);
    Recipe recipe{name, subject.height, subject.width, pipeline.scale, false, {}, {}};
    recipe.cut.height = subject.height;
    recipe.cut.width = subject.width;
    recipe.cut.sharpen = pipeline.pair.sharpen;
    recipe.steps = Drawer(pipeline, recipe.cut, shape_stream(seed, subject.image),
                          value_stream(seed, recipe.image), true)
                       .run();
    recipes.push_back(std::move(recipe));
  }
  return recipes;
}

}  // namespace sr
