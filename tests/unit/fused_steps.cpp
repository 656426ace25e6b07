// The AMX convolution against LibTorch's, on the same bf16 values.

#include "infer/fused_steps.h"

#include <cmath>
#include <doctest.h>
#include <limits>

namespace {

using namespace sr;
using namespace sr::fused;

Tensor rounded(const Tensor& values) { return values.to(at::kBFloat16).to(at::kFloat); }

Weights random_weights(int64_t in, int64_t out) {
  return {rounded(at::randn({out, in, 3, 3}) / std::sqrt(9.0 * in)), at::randn({out}), at::rand({out}), {in}};
}

Tensor activated(const Tensor& values, const Tensor& slope) {
  return at::where(values < 0, values * slope.view({1, -1, 1, 1}), values);
}

Tensor reference(const Tensor& input, const Weights& weights) {
  return activated(at::conv2d(input, weights.weight, weights.bias, 1, 1), weights.slope);
}

/// Image [C,H,W] into bf16 planes, and fp32 planes into an image.
void put(Planes& planes, const Tensor& image) {
  const auto from = image.accessor<float, 3>();
  for (int64_t c = 0; c < from.size(0); ++c)
    for (int64_t y = 0; y < from.size(1); ++y)
      for (int64_t x = 0; x < from.size(2); ++x)
        reinterpret_cast<at::BFloat16*>(planes.row(int(c / 32), int(y))[x].bytes)[c % 32] = from[c][y][x];
}

template <class Value, int kChannels>
Tensor get(const Planes& planes, int64_t channels, Size size) {
  Tensor image = at::empty({channels, size.height, size.width});
  auto to = image.accessor<float, 3>();
  for (int64_t c = 0; c < channels; ++c)
    for (int y = 0; y < size.height; ++y)
      for (int x = 0; x < size.width; ++x)
        to[c][y][x] =
            reinterpret_cast<const Value*>(planes.row(int(c / kChannels), y)[x].bytes)[c % kChannels];
  return image;
}

void put_floats(Planes& planes, const Tensor& image) {
  const auto from = image.accessor<float, 3>();
  for (int64_t c = 0; c < from.size(0); ++c)
    for (int64_t y = 0; y < from.size(1); ++y)
      for (int64_t x = 0; x < from.size(2); ++x)
        reinterpret_cast<float*>(planes.row(int(c / 16), int(y))[x].bytes)[c % 16] = from[c][y][x];
}

void check_close(const Tensor& result, const Tensor& expected, double tolerance) {
  CHECK((result - expected).abs().max().item<double>() < tolerance);
}

/// What one convolution step makes of an image, in fp32 and in bf16.
struct Result {
  Tensor fp32, bf16;
};

Result run(const Tensor& input, std::vector<PackedKernel> kernels, int64_t outputs, int upscaling) {
  const Size size{int(input.size(1)), int(input.size(2))}, large = size * upscaling;
  Planes in(planes_for(input.size(0), 32), size.height, size);
  Planes bf16(planes_for(outputs, 32), large.height, large),
      fp32(planes_for(outputs, 16), large.height, large);
  put(in, input);
  const Slice input_slice{0, 0, planes_for(input.size(0), 32)};
  const Conv conv({.kernels = std::move(kernels),
                   .upscaling = upscaling,
                   .inputs = {input_slice},
                   .bf16 = {1, 0, planes_for(outputs, 32)},
                   .fp32 = {2, 0, planes_for(outputs, 16)}});
  Planes* const buffers[] = {&in, &bf16, &fp32};
  const amx::Tiles tiles;
  conv.compute({.buffers = buffers}, {0, size.height});
  return {get<float, 16>(fp32, outputs, large), get<at::BFloat16, 32>(bf16, outputs, large)};
}

bool skipped() {
  if (!amx::available()) MESSAGE("no AMX here: skipped");
  return !amx::available();
}

}  // namespace

TEST_CASE("AMX convolution equals LibTorch's on bf16 values, for any size") {
  if (skipped()) return;
  torch::manual_seed(1);
  for (const int width : {1, 15, 16, 17, 33})
    for (const int height : {1, 2, 3, 4, 5, 6, 7, 13})
      for (const auto& [in, out] : {std::pair{3, 64}, {64, 48}, {12, 3}, {160, 32}}) {
        CAPTURE(width);
        CAPTURE(height);
        CAPTURE(in);
        const Tensor input = rounded(at::randn({in, height, width}));
        const Weights weights = random_weights(in, out);
        const Tensor expected = reference(input.unsqueeze(0), weights)[0];
        const Result result = run(input, {pack(weights)}, out, 1);
        check_close(result.fp32, expected, 1e-4);
        check_close(result.bf16, expected, 0.04);
      }
}

TEST_CASE("what stands beyond the image does not show, and the halo stays zero") {
  if (skipped()) return;
  torch::manual_seed(2);
  const Tensor input = rounded(at::randn({32, 7, 20}));
  const Weights first = random_weights(32, 32), second = random_weights(32, 32);
  const Tensor between = run(input, {pack(first)}, 32, 1).bf16;
  const Size size{7, 20};
  Planes in(1, 7, size), middle(1, 7, size), out(2, 7, size);
  put(in, input);
  const Conv one({.kernels = {pack(first)}, .inputs = {{0, 0, 1}}, .bf16 = {1, 0, 1}});
  const Conv two({.kernels = {pack(second)}, .inputs = {{1, 0, 1}}, .fp32 = {2, 0, 2}});
  Planes* const buffers[] = {&in, &middle, &out};
  const amx::Tiles tiles;
  for (int repeat = 0; repeat < 2; ++repeat)
    for (const Conv* conv : {&one, &two}) conv->compute({.buffers = buffers}, {0, 7});
  check_close(get<float, 16>(out, 32, size), reference(between.unsqueeze(0), second)[0], 1e-4);
}

TEST_CASE("residuals are added in fp32") {
  if (skipped()) return;
  torch::manual_seed(3);
  const Size size{8, 19};
  const Tensor input = rounded(at::randn({64, 8, 19})), inner = at::randn({16, 8, 19}),
               outer = at::randn({16, 8, 19});
  const Weights weights = random_weights(64, 16);
  Planes in(2, 8, size), residual(1, 8, size), outer_residual(1, 8, size), out(1, 8, size);
  put(in, input);
  put_floats(residual, inner);
  put_floats(outer_residual, outer);
  const Conv conv({.kernels = {pack(weights)},
                   .inputs = {{0, 0, 2}},
                   .fp32 = {3, 0, 1},
                   .scale = 0.2f,
                   .residual = {1, 0, 1},
                   .outer_scale = 0.3f,
                   .outer_residual = {2, 0, 1}});
  Planes* const buffers[] = {&in, &residual, &outer_residual, &out};
  const amx::Tiles tiles;
  conv.compute({.buffers = buffers}, {0, 8});
  const Tensor expected = 0.3 * (0.2 * reference(input.unsqueeze(0), weights)[0] + inner) + outer;
  check_close(get<float, 16>(out, 16, size), expected, 1e-5);
}

TEST_CASE("a convolution of an enlarged image is four on the small one") {
  if (skipped()) return;
  torch::manual_seed(4);
  for (const auto& [height, width] : {std::pair{1, 1}, {5, 17}, {14, 32}}) {
    const Tensor input = rounded(at::randn({64, height, width}));
    const Weights weights = random_weights(64, 64);
    const Tensor large = at::upsample_nearest2d(input.unsqueeze(0), {2 * height, 2 * width});
    check_close(run(input, pack_upsampled(weights), 64, 2).fp32, reference(large, weights)[0], 0.03);
  }
}

TEST_CASE("a convolution before a pixel shuffle writes where its channels go") {
  if (skipped()) return;
  torch::manual_seed(5);
  for (const int factor : {2, 3}) {
    const Tensor input = rounded(at::randn({32, 7, 18}));
    const Weights weights = random_weights(32, 20 * factor * factor);
    const Tensor expected = at::pixel_shuffle(reference(input.unsqueeze(0), weights), factor)[0];
    check_close(run(input, pack_shuffled(weights, factor), 20, factor).fp32, expected, 1e-4);
  }
}

TEST_CASE("NaN and infinity come through the activation") {
  if (skipped()) return;
  Tensor input = at::zeros({32, 3, 3});
  input[0][1][1] = std::numeric_limits<float>::quiet_NaN();
  torch::manual_seed(6);
  const Result result = run(input, {pack(random_weights(32, 16))}, 16, 1);
  CHECK(result.fp32.isnan().all().item<bool>());
  CHECK(result.bf16.isnan().all().item<bool>());
}
