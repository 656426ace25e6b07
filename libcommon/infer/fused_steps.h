#pragma once
// The steps that a fused network is made of. Each computes any rows of its output once the rows that these
// need are there. Rows are counted at the resolution of what a step reads.

#include <utility>
#include <vector>

#include "infer/fused_planes.h"
#include "infer/fused_weights.h"

namespace sr::fused {

class Step {
 public:
  virtual ~Step() = default;
  virtual void compute(const View& view, Rows rows) const = 0;
  virtual int radius() const { return 0; }        ///< rows that it reads above and below those it computes
  virtual int upscaling() const { return 1; }     ///< rows that come out for one that goes in
  virtual std::vector<Slice> reads() const = 0;   ///< slices of no planes may be among them
  virtual std::vector<Slice> writes() const = 0;  ///< the same
};

/// The input image as bf16 planes; blocks of `unshuffle` x `unshuffle` pixels become channels
/// (PixelUnshuffle).
class Load final : public Step {
 public:
  Load(int channels, int unshuffle, Slice output)
      : channels_(channels), unshuffle_(unshuffle), output_(output) {}
  void compute(const View& view, Rows rows) const override;
  std::vector<Slice> reads() const override { return {}; }
  std::vector<Slice> writes() const override { return {output_}; }

 private:
  void load_row(const View& view, int y, int channel, int dy, int dx) const;

  int channels_, unshuffle_;
  Slice output_;
};

inline constexpr int kLargestShuffle = 4;

/// fp32 planes as the output image, `shuffle` times larger (PixelShuffle; up to kLargestShuffle). `add_input`
/// adds the input image, enlarged by repeating its pixels.
class Store final : public Step {
 public:
  Store(Slice input, int channels, int shuffle, bool add_input)
      : input_(input), channels_(channels), shuffle_(shuffle), add_input_(add_input) {}
  void compute(const View& view, Rows rows) const override;
  std::vector<Slice> reads() const override { return {input_}; }
  std::vector<Slice> writes() const override { return {}; }

 private:
  template <int kShuffle>
  void store_row(const View& view, int y, int channel, int dy) const;

  Slice input_;
  int channels_, shuffle_;
  bool add_input_;
};

/// What a convolution reads and writes: y = outer_scale * (scale * activation(conv) + residual) +
/// outer_residual, in fp32. Slices of no planes are left out.
struct ConvSpec {
  std::vector<PackedKernel> kernels;  ///< one for each pixel that comes out for one that goes in
  int upscaling = 1;                  ///< its square is their number; residuals only where it is 1
  std::vector<Slice> inputs;          ///< bf16
  Slice bf16 = {};                    ///< the result, in either form or both
  Slice fp32 = {};
  float scale = 1;
  Slice residual = {};
  float outer_scale = 1;
  Slice outer_residual = {};
};

class Conv final : public Step {
 public:
  explicit Conv(ConvSpec spec) : spec_(std::move(spec)) {}
  /// The calling thread holds amx::Tiles.
  void compute(const View& view, Rows rows) const override;
  int radius() const override { return 1; }
  int upscaling() const override { return spec_.upscaling; }
  std::vector<Slice> reads() const override;
  std::vector<Slice> writes() const override { return {spec_.bf16, spec_.fp32}; }

 private:
  void compute_band(const View& view, const PackedKernel& kernel, Rows rows) const;
  std::vector<const Pixel*> input_rows(const View& view, const PackedKernel& kernel, Rows rows) const;
  std::vector<amx::OutputRow> output_rows(const View& view, const PackedKernel& kernel, Rows rows) const;

  ConvSpec spec_;
};

}  // namespace sr::fused
