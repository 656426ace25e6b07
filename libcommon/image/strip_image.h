#pragma once
// Rows as a libvips image that is computed while a saver pulls it.

#include <vips/vips8>

#include "image/picture.h"
#include "image/rows.h"

namespace sr {

/// A lazy image over `rows`, which must outlive it: samples of `depth`, each row made once, from top to
/// bottom. What `rows` throws is kept and thrown again by `rethrow`, since libvips reports it as a mere
/// failure.
class StripImage {
 public:
  StripImage(RowSource& rows, Depth depth);
  const vips::VImage& image() const { return image_; }

  /// Throws what stopped the rows, if anything did.
  void rethrow() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  vips::VImage image_;
};

}  // namespace sr
