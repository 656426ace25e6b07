#include "nets/feature_net.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/simd.h"
#include "nets/feature_maps.h"
#include "nets/fill_module.h"

namespace sr {
namespace {

std::shared_ptr<Conv2d> make_conv(int64_t in, int64_t out, const ConvOptions& options) {
  return std::make_shared<Conv2d>(in, out, options);
}

SR_VECTORISED void take_larger(const float* in, std::int64_t n, float* out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = out[i] > in[i] ? out[i] : in[i];
}

/// Side of the output, as PyTorch has it: rounded up, but no window begins outside.
int64_t pooled_side(int64_t side, const FeatureNet::MaxPool& window) {
  const int64_t reach = side - window.kernel + (window.ceil ? window.stride - 1 : 0);
  if (reach < 0) return 0;
  const int64_t last = reach / window.stride;
  return last * window.stride < side ? last + 1 : last;
}

/// One row of outputs: [width,channels] from rows of inputs `stride` floats apart.
void pool_row(const float* in, std::int64_t rows, std::int64_t columns, std::int64_t channels,
              const FeatureNet::MaxPool& window, std::int64_t width, float* out) {
  for (std::int64_t x = 0; x < width; ++x) {
    const std::int64_t first = x * window.stride, count = std::min(window.kernel, columns - first);
    const float* const corner = in + first * channels;
    float* const pixel = out + x * channels;
    std::copy_n(corner, channels, pixel);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = i == 0 ? 1 : 0; j < count; ++j)
        take_larger(corner + (i * columns + j) * channels, channels, pixel);
    }
  }
}

Tensor pooled(const Tensor& input, const FeatureNet::MaxPool& window) {
  const std::int64_t height = input.size(2), width = input.size(3), channels = input.size(1);
  const std::int64_t out_height = pooled_side(height, window), out_width = pooled_side(width, window);
  Tensor output = at::empty({input.size(0), channels, out_height, out_width},
                            input.options().memory_format(at::MemoryFormat::ChannelsLast));
  const float* const in = input.data_ptr<float>();
  float* const out = output.data_ptr<float>();
  at::parallel_for(0, input.size(0) * out_height, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t y = row % out_height * window.stride, image = row / out_height;
      pool_row(in + (image * height + y) * width * channels, std::min(window.kernel, height - y), width,
               channels, window, out_width, out + row * out_width * channels);
    }
  });
  return output;
}

/// `plane`: floats between the channels of the input; the output's are side by side.
SR_VECTORISED void normalise_pixels(const float* __restrict in, std::int64_t plane, std::int64_t n,
                                    const Normalisation& by, float* __restrict out) {
  const std::array<float, 3> mean = by.mean, deviation = by.deviation;
  for (std::int64_t i = 0; i < n; ++i) {
    out[3 * i] = (in[i] - mean[0]) / deviation[0];
    out[3 * i + 1] = (in[plane + i] - mean[1]) / deviation[1];
    out[3 * i + 2] = (in[2 * plane + i] - mean[2]) / deviation[2];
  }
}

/// N of "features.N.weight"; -1 for any other key.
int layer_number(const std::string& key) {
  constexpr std::string_view prefix = "features.";
  if (!key.starts_with(prefix)) return -1;
  int number = -1;
  std::from_chars(key.data() + prefix.size(), key.data() + key.size(), number);
  return number;
}

}  // namespace

bool on_fast_path(const Tensor& input) {
  return input.device().is_cpu() && input.scalar_type() == at::kFloat &&
         !(at::GradMode::is_enabled() && input.requires_grad());
}

Tensor normalised(const Tensor& images, const Normalisation& by) {
  const auto per_channel = [&](const std::array<float, 3>& values) {
    return at::tensor(at::ArrayRef<float>(values), images.options()).view({1, 3, 1, 1});
  };
  if (!on_fast_path(images)) return (images - per_channel(by.mean)) / per_channel(by.deviation);
  const Tensor planes = images.contiguous();
  Tensor output = at::empty(images.sizes(), images.options().memory_format(at::MemoryFormat::ChannelsLast));
  const std::int64_t height = images.size(2), width = images.size(3);
  const float* const in = planes.data_ptr<float>();
  float* const out = output.data_ptr<float>();
  at::parallel_for(0, images.size(0) * height, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t image = row / height, first = (2 * image * height + row) * width;
      normalise_pixels(in + first, height * width, width, by, out + row * width * 3);
    }
  });
  return output;
}

Tensor max_pool(const Tensor& input, const FeatureNet::MaxPool& window) {
  const bool ours = on_fast_path(input) && input.is_contiguous(at::MemoryFormat::ChannelsLast) &&
                    pooled_side(input.size(2), window) > 0 && pooled_side(input.size(3), window) > 0;
  if (ours) return pooled(input, window);
  return at::max_pool2d(input, {window.kernel, window.kernel}, {window.stride, window.stride}, {0, 0}, {1, 1},
                        window.ceil);
}

Tensor FeatureConv::forward(const Tensor& input, bool relu) const {
  if (fast && on_fast_path(input) && fast->pays(input)) return fast->forward(input, relu);
  Tensor output = convolve(*layer, input);
  return relu ? relu_in_place(std::move(output)) : output;
}

void FeatureConv::prepare() {
  layer->set_precision(layer->weight.scalar_type());  // channels-last
  fast = WinogradConv::suits(*layer) ? std::make_shared<WinogradConv>(*layer) : nullptr;
}

Fire::Fire(int64_t in, int64_t squeezed, int64_t expanded)
    : squeeze_{register_module("squeeze", make_conv(in, squeezed, pointwise())), nullptr},
      expand1x1_{register_module("expand1x1", make_conv(squeezed, expanded, pointwise())), nullptr},
      expand3x3_{register_module("expand3x3", make_conv(squeezed, expanded, {})), nullptr} {}

Tensor Fire::forward(const Tensor& input) const {
  const Tensor squeezed = squeeze_.forward(input, true);
  return at::cat({expand1x1_.forward(squeezed, true), expand3x3_.forward(squeezed, true)}, 1);
}

void Fire::prepare() {
  for (FeatureConv* conv : {&squeeze_, &expand1x1_, &expand3x3_}) conv->prepare();
}

FeatureNet::FeatureNet(std::string name, const std::vector<Spec>& specs)
    : torch::nn::Module(std::move(name)) {
  const auto list = register_container(*this, "features");
  for (size_t i = 0; i < specs.size(); ++i) {
    const std::string number = std::to_string(i);
    if (const auto* conv = std::get_if<Conv>(&specs[i])) {
      layers_.emplace_back(
          FeatureConv{list->register_module(number, make_conv(conv->in, conv->out, conv->options)), nullptr});
    } else if (const auto* fire = std::get_if<FireSpec>(&specs[i])) {
      layers_.emplace_back(
          list->register_module(number, std::make_shared<Fire>(fire->in, fire->squeezed, fire->expanded)));
    } else if (const auto* pool = std::get_if<MaxPool>(&specs[i])) {
      layers_.emplace_back(*pool);
    } else if (std::holds_alternative<ReLU>(specs[i])) {
      layers_.emplace_back(ReLU{});
    } else {
      layers_.emplace_back(Nothing{});
    }
  }
}

void FeatureNet::load(const StateDict& weights) {
  fill_module(*this, weights, [this](const std::string& key) {
    return key.starts_with("classifier.") || layer_number(key) >= layers();
  });
  prepare();
}

void FeatureNet::prepare() {
  for (Layer& layer : layers_) {
    if (auto* conv = std::get_if<FeatureConv>(&layer)) conv->prepare();
    if (auto* fire = std::get_if<std::shared_ptr<Fire>>(&layer)) (*fire)->prepare();
  }
}

Tensor FeatureNet::run(const Tensor& input, int begin, int end) const {
  Tensor x = input;
  for (int i = begin; i < end; ++i) {
    const Layer& layer = layers_.at(static_cast<size_t>(i));
    if (const auto* conv = std::get_if<FeatureConv>(&layer)) {
      const bool relu = i + 1 < end && std::holds_alternative<ReLU>(layers_[static_cast<size_t>(i) + 1]);
      x = conv->forward(x, relu);
      i += relu ? 1 : 0;
    } else if (const auto* pool = std::get_if<MaxPool>(&layer)) {
      x = max_pool(x, *pool);
    } else if (const auto* fire = std::get_if<std::shared_ptr<Fire>>(&layer)) {
      x = (*fire)->forward(x);
    } else if (std::holds_alternative<ReLU>(layer)) {
      x = at::relu(x);
    }
  }
  return x;
}

std::vector<Tensor> FeatureNet::features(const Tensor& images, const std::vector<int>& taps) const {
  std::vector<Tensor> found;
  Tensor x = images;
  int done = 0;
  for (const int tap : taps) {
    x = run(x, done, tap + 1);
    found.push_back(x);
    done = tap + 1;
  }
  return found;
}

}  // namespace sr
