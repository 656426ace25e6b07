#include "infer/engine.h"

#include <algorithm>
#include <c10/core/InferenceMode.h>
#include <new>

#include "core/error.h"
#include "core/processor.h"

namespace sr {
namespace {

constexpr int64_t kSmallestPiece = 32;  // pixels a side; below this, running out of memory is final

/// One pass and no temporary: whatever is not finite makes the sum so.
bool is_finite(const Tensor& tensor) { return std::isfinite(tensor.sum().item<float>()); }

/// Turn and flip `i` of the eight; the same order undone by `unturned`.
Tensor turned(const Tensor& batch, int i) {
  const auto flipped = i & 4 ? batch.flip(-1) : batch;
  return at::rot90(flipped, i & 3, {-2, -1});
}

Tensor unturned(const Tensor& batch, int i) {
  const auto upright = at::rot90(batch, -(i & 3), {-2, -1});
  return i & 4 ? upright.flip(-1) : upright;
}

/// Reflection to a multiple on the right and at the bottom, in steps where the picture is smaller than the
/// padding.
Tensor pad_to_multiple(Tensor batch, int64_t multiple) {
  const int64_t height = (batch.size(2) + multiple - 1) / multiple * multiple;
  const int64_t width = (batch.size(3) + multiple - 1) / multiple * multiple;
  while (batch.size(2) < height || batch.size(3) < width) {
    const int64_t bottom = std::min(height - batch.size(2), batch.size(2) - 1);
    const int64_t right = std::min(width - batch.size(3), batch.size(3) - 1);
    batch = bottom + right > 0
                ? at::reflection_pad2d(batch, {0, right, 0, bottom})
                : at::replication_pad2d(batch, {0, width - batch.size(3), 0, height - batch.size(2)});
  }
  return batch;
}

/// [C,h,w] -> batches of the network's channels: grey repeated, or each colour a picture of its own.
Tensor to_batch(const Tensor& piece, int channels) {
  if (piece.size(0) == channels) return piece.unsqueeze(0);
  return channels == 1 ? piece.unsqueeze(1) : piece.unsqueeze(0).expand({1, channels, -1, -1});
}

Tensor from_batch(const Tensor& batch, int64_t planes) {
  if (batch.size(0) == planes && batch.size(1) == 1) return batch.squeeze(1);
  return planes == 1 ? batch[0].mean(0, true) : batch[0];
}

}  // namespace

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  const std::string_view text = error.what();
  constexpr std::array phrases{"out of memory", "not enough memory", "can't allocate memory",
                               "could not create a memory"};  // the last is oneDNN's
  return std::any_of(phrases.begin(), phrases.end(),
                     [&](const char* phrase) { return text.find(phrase) != std::string_view::npos; });
}

Engine::Engine(StateDict weights, const EngineOptions& options, Log& log)
    : weights_(std::move(weights)),
      options_(options),
      log_(log),
      network_(make_network(weights_)),
      shape_(network_->shape()),
      type_(choose_type(options.precision, options.device)),
      stage_([threads = options.threads] { at::set_num_threads(threads_or_all(threads)); }) {
  network_->to(options_.device);
  if (options_.device.is_cpu() && type_ == at::kBFloat16) fused_ = fuse(*network_);
  if (fused_ || type_ == at::kFloat) exact_ = network_;
  if (!fused_) set_precision(*network_, type_);
}

double Engine::bytes_per_pixel() const {
  // a fused network holds windows of a few rows, and whole only what passes between its groups
  return fused_ ? 1200 : shape_.activations * sizeof(float);
}

Tensor Engine::forward(const Tensor& piece, int context) {
  const c10::InferenceMode inference;
  const int64_t pixels = piece.size(1) * piece.size(2);
  if (pixels >= largest_) return forward_halves(piece, context);
  try {
    return forward_whole(piece);
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) throw;
  }
  log_.detail(fmt::format("not enough memory for a tile of {}x{}: halving it", piece.size(2), piece.size(1)));
  largest_ = pixels;
  return forward_halves(piece, context);
}

Tensor Engine::forward_halves(const Tensor& piece, int context) {
  const int64_t axis = piece.size(1) >= piece.size(2) ? 1 : 2;
  const int64_t length = piece.size(axis), step = std::max(shape_.alignment, shape_.multiple);
  if (length < std::max(2 * kSmallestPiece, 4 * step)) {
    throw Error("not enough memory even for the smallest tile");
  }
  const int64_t middle = length / 2 / step * step;
  const int64_t overlap =
      std::min<int64_t>(context, length / 4);  // less than the network would like, at worst
  const int64_t first_end = middle + overlap;
  const int64_t second_begin = (middle - overlap) / step * step;
  const auto first = forward(piece.slice(axis, 0, first_end), context).slice(axis, 0, middle * shape_.scale);
  const auto second =
      forward(piece.slice(axis, second_begin), context).slice(axis, (middle - second_begin) * shape_.scale);
  return at::cat({first, second}, axis);
}

Tensor Engine::forward_whole(const Tensor& piece) {
  const auto batch = to_batch(piece, shape_.in_channels);
  auto result = forward_tta(batch, type_);
  if (!is_finite(result)) {
    if (type_ != at::kFloat && !warned_) {
      log_.warning("results in reduced precision are not finite; those tiles are made again in float32");
      warned_ = true;
    }
    if (type_ != at::kFloat) result = forward_tta(batch, at::kFloat);
    if (!is_finite(result)) throw Error("the network's result is not finite, even in float32");
  }
  return from_batch(result, piece.size(0));
}

Tensor Engine::forward_tta(const Tensor& batch, at::ScalarType type) {
  if (!options_.tta) return forward_padded(batch, type);
  constexpr int kTurns = 8;
  auto sum = forward_padded(batch, type);
  for (int i = 1; i < kTurns; i++) sum = sum + unturned(forward_padded(turned(batch, i), type), i);
  return sum / kTurns;
}

Tensor Engine::forward_padded(const Tensor& batch, at::ScalarType type) {
  const auto result = run(pad_to_multiple(batch, shape_.multiple), type);
  return result.slice(2, 0, batch.size(2) * shape_.scale).slice(3, 0, batch.size(3) * shape_.scale);
}

Tensor Engine::run(const Tensor& batch, at::ScalarType type) {
  if (fused_ && type == type_) return fused_->forward(batch.contiguous());
  auto& network = type == type_ ? *network_ : exact();
  const auto input = batch.to(options_.device).contiguous(at::MemoryFormat::ChannelsLast);
  return network.forward(input).to(at::kCPU, at::kFloat);
}

Network& Engine::exact() {
  if (!exact_) {
    exact_ = make_network(weights_);
    exact_->to(options_.device);
  }
  return *exact_;
}

}  // namespace sr
