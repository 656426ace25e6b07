#pragma once
// Runs a chain of steps in groups. Within a group the image is swept from top to bottom a few rows at a time,
// each step as far behind the one before as it reads ahead, so that what they hand on is a window of a few
// rows, which stays in the processor core's own cache. The image is cut into strips, one a thread; rows that
// two strips need are computed in both, so that threads wait for each other only between groups. What one
// group leaves for the next is held whole.

#include <memory>
#include <vector>

#include "infer/fused_net.h"
#include "infer/fused_steps.h"

namespace sr::fused {

/// How the sizes of a network's images relate: it works on blocks of `unshuffle` x `unshuffle` input pixels.
struct Frame {
  int in_channels = 3, out_channels = 3;
  int unshuffle = 1;
  int scale = 1;  ///< output side / input side
};

class Graph final : public FusedNetwork {
 public:
  explicit Graph(const Frame& frame) : frame_(frame) {}

  /// A buffer of planes, `multiple` times as large as the unshuffled input. A window is for steps of one
  /// group, a whole image for several; only the last step of a group writes to one, and none of that group
  /// reads there but at the very pixel.
  Slice add_window(int planes, int multiple = 1) { return add_buffer({planes, multiple, false, 0}); }
  Slice add_image(int planes, int multiple = 1) { return add_buffer({planes, multiple, true, 0}); }

  /// A chain: each step starts from rows that those before it wrote. The first works at `multiple` and is
  /// given `advance` rows at a time.
  using Steps = std::vector<std::unique_ptr<Step>>;
  void add_group(Steps steps, int multiple = 1, int advance = amx::kBandRows);

  Tensor forward(const Tensor& input) override;

 private:
  struct Buffer {
    int planes, multiple;
    bool whole;
    int window_rows;
  };
  struct Group {
    Steps steps;
    int multiple, advance;
  };
  /// The buffers for one size of input.
  struct Workspace {
    Size size;
    int strips = 0;
    std::vector<std::unique_ptr<Planes>> planes;
    std::vector<std::vector<Planes*>> views;  // [strip][buffer]
  };

  Slice add_buffer(Buffer buffer);
  void widen_windows(const Group& group);
  void prepare(Size size, int strips);
  void run(const Group& group, const View& view) const;
  void run_strip(const Group& group, const View& view, Rows rows) const;
  std::vector<Rows> rows_needed(const Group& group, Rows last) const;

  Frame frame_;
  std::vector<Buffer> buffers_;
  std::vector<Group> groups_;
  Workspace workspace_;
};

}  // namespace sr::fused
