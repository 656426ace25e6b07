#include "nets/summary.h"

#include <ATen/record_function.h>
#include <string_view>
#include <vector>

#include "nets/fused_attention.h"

namespace sr {
namespace {

using Inputs = c10::ArrayRef<const c10::IValue>;

/// Where the pass under way on this thread adds up. LibTorch's callbacks are plain functions without a
/// context.
thread_local int64_t* running_total = nullptr;

int64_t rounded_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

/// Places of a convolution's output along each spatial axis, multiplied.
int64_t output_places(const Tensor& input, const Tensor& weight, Inputs arguments) {
  const auto stride = arguments[3].toIntVector(), padding = arguments[4].toIntVector(),
             dilation = arguments[5].toIntVector();
  int64_t places = 1;
  for (int64_t axis = 0; axis < input.dim() - 2; ++axis) {
    const size_t i = static_cast<size_t>(axis);
    const int64_t reach = dilation[i] * (weight.size(axis + 2) - 1) + 1;
    places *= (input.size(axis + 2) + 2 * padding[i] - reach) / stride[i] + 1;
  }
  return places;
}

/// aten::convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups).
int64_t of_convolution(Inputs arguments) {
  const Tensor& input = arguments[0].toTensor();
  const Tensor& weight = arguments[1].toTensor();
  const bool transposed = arguments[6].toBool();
  // Transposed, each input value meets one filter of its group; otherwise each output value is one filter's
  // sum.
  if (transposed) return input.numel() * (weight.numel() / weight.size(0));
  return input.size(0) * output_places(input, weight, arguments) * weight.numel();
}

/// [..., n, k] times [..., k, m], the factors being arguments `at` and `at + 1`.
int64_t of_product(Inputs arguments, size_t at) {
  return arguments[at].toTensor().numel() * arguments[at + 1].toTensor().size(-1);
}

/// Only operators that are not made of others in this list: linear and matmul end up in them.
int64_t multiply_adds(std::string_view name, Inputs arguments) {
  if (name == "aten::convolution") return of_convolution(arguments);
  if (name == "aten::mm" || name == "aten::bmm") return of_product(arguments, 0);
  if (name == kAttentionName) return 2 * arguments[0].toTensor().numel() * arguments[1].toTensor().size(1);
  if (name == "aten::addmm" || name == "aten::baddbmm") return of_product(arguments, 1);
  return 0;
}

std::unique_ptr<at::ObserverContext> count(const at::RecordFunction& call) {
  if (running_total) *running_total += multiply_adds(call.name(), call.inputs());
  return nullptr;
}

/// Counts what this thread does while it lives.
class Counting {
 public:
  explicit Counting(int64_t& total)
      : handle_(at::addThreadLocalCallback(
            at::RecordFunctionCallback(count).needsInputs(true).scopes({at::RecordScope::FUNCTION}))) {
    running_total = &total;
  }
  ~Counting() {
    running_total = nullptr;
    at::removeCallback(handle_);
  }
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;

 private:
  at::CallbackHandle handle_;
};

}  // namespace

int64_t count_parameters(const torch::nn::Module& network) {
  int64_t total = 0;
  for (const auto& parameter : network.parameters()) total += parameter.numel();
  return total;
}

int64_t count_multiply_adds(const std::function<void()>& work) {
  const at::NoGradGuard no_grad;
  int64_t total = 0;
  const Counting counting(total);
  work();
  return total;
}

int64_t count_multiply_adds(Network& network, int64_t height, int64_t width) {
  const NetworkShape shape = network.shape();
  const auto parameters = network.parameters();
  const auto device = parameters.empty() ? at::Device(at::kCPU) : parameters.front().device();
  const Tensor image =
      at::zeros({1, shape.in_channels, rounded_up(height, shape.multiple), rounded_up(width, shape.multiple)},
                at::TensorOptions().device(device));
  return count_multiply_adds([&] { network.forward(image); });
}

NetworkSummary summarise(Network& network, int64_t height, int64_t width) {
  return {.shape = network.shape(),
          .parameters = count_parameters(network),
          .multiply_adds = count_multiply_adds(network, height, width)};
}

}  // namespace sr
