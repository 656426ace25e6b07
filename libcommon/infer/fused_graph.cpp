#include "infer/fused_graph.h"

#include <algorithm>

namespace sr::fused {
namespace {

/// Strips thinner than this would spend their time on rows that their neighbours compute as well.
constexpr int kLeastStripRows = 16;

bool touches(const std::vector<Slice>& slices, int buffer) {
  return std::any_of(slices.begin(), slices.end(),
                     [buffer](const Slice& slice) { return slice.count > 0 && slice.buffer == buffer; });
}

Rows clip(Rows rows, int height) { return {std::max(rows.first, 0), std::min(rows.last, height)}; }

/// The i-th of n nearly equal parts.
Rows part(int height, int i, int n) {
  return {static_cast<int>(long{height} * i / n), static_cast<int>(long{height} * (i + 1) / n)};
}

}  // namespace

Slice Graph::add_buffer(Buffer buffer) {
  buffers_.push_back(buffer);
  return {static_cast<int>(buffers_.size()) - 1, 0, buffer.planes};
}

void Graph::add_group(Steps steps, int multiple, int advance) {
  groups_.push_back({std::move(steps), multiple, advance});
  widen_windows(groups_.back());
}

/// A window holds what its writer adds in one round, and what the last of its readers still needs: each step
/// in between lags a row behind, and the reader looks back one. At the end of the image a step also makes up
/// for the row that it lagged.
void Graph::widen_windows(const Group& group) {
  int rows = group.advance;
  for (std::size_t writer = 0; writer < group.steps.size(); ++writer) {
    if (writer > 0) rows += group.steps[writer]->radius();
    rows *= group.steps[writer]->upscaling();
    for (std::size_t reader = writer + 1; reader < group.steps.size(); ++reader)
      for (std::size_t b = 0; b < buffers_.size(); ++b)
        if (touches(group.steps[writer]->writes(), b) && touches(group.steps[reader]->reads(), b))
          buffers_[b].window_rows =
              std::max(buffers_[b].window_rows, rows + static_cast<int>(reader - writer) + 2);
  }
}

Tensor Graph::forward(const Tensor& input) {
  TORCH_CHECK(input.dim() == 4 && input.size(1) == frame_.in_channels && input.scalar_type() == at::kFloat &&
                  input.size(2) % frame_.unshuffle == 0 && input.size(3) % frame_.unshuffle == 0,
              "fused network: the input is not float32 [N,", frame_.in_channels, ",H,W] with sides of ",
              frame_.unshuffle);
  const Size in{static_cast<int>(input.size(2)), static_cast<int>(input.size(3))}, out = in * frame_.scale;
  const int rows = in.height / frame_.unshuffle;
  prepare({rows, in.width / frame_.unshuffle},
          std::clamp(rows / kLeastStripRows, 1, static_cast<int>(at::get_num_threads())));
  Tensor output = at::empty({input.size(0), frame_.out_channels, out.height, out.width}, at::kFloat);
  for (int64_t i = 0; i < input.size(0); ++i) {
    const Tensor image = input[i].contiguous();
    const View view{{}, image.data_ptr<float>(), output[i].data_ptr<float>(), in, out};
    for (const Group& group : groups_) run(group, view);
  }
  return output;
}

void Graph::prepare(Size size, int strips) {
  if (workspace_.size == size && workspace_.strips == strips) return;
  workspace_ = {};
  workspace_.views.resize(strips);
  for (const Buffer& buffer : buffers_) {
    const Size full = size * buffer.multiple;
    const int held = buffer.whole ? full.height : std::min(buffer.window_rows, full.height);
    for (int strip = 0; strip < strips; ++strip) {
      if (strip == 0 || !buffer.whole)
        workspace_.planes.push_back(std::make_unique<Planes>(buffer.planes, held, full));
      workspace_.views[strip].push_back(workspace_.planes.back().get());
    }
  }
  workspace_.size = size;
  workspace_.strips = strips;
}

void Graph::run(const Group& group, const View& view) const {
  int height = workspace_.size.height * group.multiple;
  for (std::size_t k = 0; k + 1 < group.steps.size(); ++k) height *= group.steps[k]->upscaling();
  at::parallel_for(0, workspace_.strips, 1, [&](int64_t begin, int64_t end) {
    const amx::Tiles tiles;
    for (int64_t strip = begin; strip < end; ++strip) {
      View own = view;
      own.buffers = workspace_.views[strip];
      run_strip(group, own, part(height, static_cast<int>(strip), workspace_.strips));
    }
  });
}

void Graph::run_strip(const Group& group, const View& view, Rows last) const {
  std::vector<Rows> todo = rows_needed(group, last);
  while (todo.back().count() > 0) {
    int ready = todo.front().first + group.advance;  // up to which row the next step may go
    for (std::size_t k = 0; k < group.steps.size(); ++k) {
      const Step& step = *group.steps[k];
      Rows& rows = todo[k];
      const Rows now{rows.first, std::min(ready, rows.last)};
      if (now.count() > 0) {
        step.compute(view, now);
        rows.first = now.last;
      }
      const bool finished = rows.count() == 0;
      if (k + 1 < group.steps.size())
        ready = finished ? todo[k + 1].last : rows.first * step.upscaling() - group.steps[k + 1]->radius();
    }
  }
}

/// The rows that each step has to compute so that the last one can compute `last`.
std::vector<Rows> Graph::rows_needed(const Group& group, Rows last) const {
  int height = workspace_.size.height * group.multiple;
  std::vector<int> heights;
  for (const auto& step : group.steps) {
    heights.push_back(height);
    height *= step->upscaling();
  }
  std::vector<Rows> needed(group.steps.size(), last);
  for (std::size_t k = group.steps.size() - 1; k > 0; --k) {
    const int radius = group.steps[k]->radius(), scale = group.steps[k - 1]->upscaling();
    const Rows read = clip({needed[k].first - radius, needed[k].last + radius}, heights[k]);
    needed[k - 1] = {read.first / scale, (read.last + scale - 1) / scale};
  }
  return needed;
}

}  // namespace sr::fused
