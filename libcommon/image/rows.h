#pragma once
// Pictures as streams of rows, from the decoder through networks and resizers to the encoder.

#include <deque>
#include <memory>

#include "core/torch.h"

namespace sr {

/// Makes the rows of a picture from top to bottom, a strip at a time.
class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual int width() const = 0;
  virtual int height() const = 0;
  virtual int planes() const = 0;  ///< 1 grey, 2 grey + alpha, 3 RGB, 4 RGB + alpha

  /// The next rows, [planes,n,width], any strides: float32, sRGB-encoded, nominally in [0,1], colour not
  /// premultiplied; or uint8 in 0..255, ready to be written. Called until `height` rows have come.
  virtual Tensor next() = 0;
};

/// Serves overlapping bands of rows from a source that only goes forward.
class RowWindow {
 public:
  explicit RowWindow(std::unique_ptr<RowSource> source) : source_(std::move(source)) {}
  const RowSource& source() const { return *source_; }

  /// Rows [first, end) as float32 [planes,end-first,width]; `first` never decreases from call to call.
  Tensor rows(int first, int end);

 private:
  std::unique_ptr<RowSource> source_;
  std::deque<Tensor> strips_;  ///< consecutive; the last one ends where the source stands
  int first_ = 0, end_ = 0;    ///< rows that `strips_` covers
};

}  // namespace sr
