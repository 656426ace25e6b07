#include "image/strip_image.h"

#include <exception>
#include <stdexcept>
#include <vips/vips.h>

#include "image/samples.h"

namespace sr {
namespace {

constexpr int kRowsPerPull = 16;  // how much `sequential` below asks for at a time

VipsBandFormat band_format(Depth depth) {
  switch (depth) {
    case Depth::u8: return VIPS_FORMAT_UCHAR;
    case Depth::u16: return VIPS_FORMAT_USHORT;
    case Depth::f32: return VIPS_FORMAT_FLOAT;
  }
  throw std::logic_error("no such depth");
}

VipsInterpretation interpretation(int planes, Depth depth) {
  if (planes < 3) return depth == Depth::u16 ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W;
  if (depth == Depth::f32) return VIPS_INTERPRETATION_scRGB;
  return depth == Depth::u16 ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB;
}

}  // namespace

/// The strip that stands, and where the next one begins. Only one thread at a time asks (the line cache
/// locks).
struct StripImage::State {
  RowSource& rows;
  Depth depth;
  Tensor strip;
  int first = 0, end = 0;
  std::exception_ptr failure;

  void write_row(int y, void* samples) {
    while (y >= end) {
      strip = rows.next();
      first = end;
      end += static_cast<int>(strip.size(1));
    }
    samples_from_row(strip, y - first, depth, samples);
  }

  int fill(VipsRegion* region) {
    const VipsRect& area = region->valid;
    if (failure) return -1;
    try {
      for (int y = area.top; y < VIPS_RECT_BOTTOM(&area); y++) {
        write_row(y, VIPS_REGION_ADDR(region, area.left, y));
      }
      return 0;
    } catch (...) {
      failure = std::current_exception();
      vips_error("sr", "%s", "the rows ended early");
      return -1;
    }
  }
};

StripImage::StripImage(RowSource& rows, Depth depth)
    : state_(std::make_shared<State>(State{rows, depth, {}, 0, 0, {}})), image_(vips_image_new()) {
  auto* out = image_.get_image();
  vips_image_init_fields(out, rows.width(), rows.height(), rows.planes(), band_format(depth),
                         VIPS_CODING_NONE, interpretation(rows.planes(), depth), 1, 1);
  const auto fill = [](VipsRegion* region, void*, void* state, void*, gboolean*) {
    return static_cast<State*>(state)->fill(region);
  };
  if (vips_image_pipelinev(out, VIPS_DEMAND_STYLE_THINSTRIP, nullptr) != 0 ||
      vips_image_generate(out, nullptr, fill, nullptr, state_.get(), nullptr) != 0) {
    throw vips::VError();
  }
  // keeps requests of several threads in order, and lines for those that come late
  image_ = image_.sequential(vips::VImage::option()->set("tile_height", kRowsPerPull));
}

void StripImage::rethrow() const {
  if (state_->failure) std::rethrow_exception(state_->failure);
}

}  // namespace sr
