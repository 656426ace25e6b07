#include "image/contact_sheet.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>
#include <vips/vips8>

#include "core/error.h"
#include "image/samples.h"
#include "image/tensor_rows.h"
#include "image/vips.h"

namespace sr {
namespace {

using vips::VImage;

constexpr int kGap = 8;       // pixels between cells, and around them
constexpr int kTextGap = 3;   // between a picture and its caption
constexpr int kPairLine = 2;  // between two pictures of a pair
constexpr int kInk = 40;      // of captions, of 255
constexpr auto* kFont = "sans 9";
constexpr int kTextDpi = 96;  // 9 points are 12 pixels then

/// How much ink there is, uint8 [h,w]; undefined where libvips draws no text.
Tensor drawn(const std::string& caption) {
  const auto lock = lock_vips_errors();
  const std::unique_ptr<char, void (*)(void*)> valid(
      g_utf8_make_valid(caption.data(), static_cast<gssize>(caption.size())), g_free);
  const std::unique_ptr<char, void (*)(void*)> plain(g_markup_escape_text(valid.get(), -1), g_free);
  try {
    const auto text =
        VImage::text(plain.get(), VImage::option()->set("font", kFont)->set("dpi", kTextDpi)).copy_memory();
    size_t length = 0;
    const std::unique_ptr<void, void (*)(void*)> bytes(text.write_to_memory(&length), g_free);
    return at::from_blob(bytes.get(), {text.height(), text.width()}, at::kByte).clone();
  } catch (const vips::VError&) {
    vips_error_clear();
    return {};
  }
}

/// A cell as it will be laid down.
struct Placed {
  Tensor picture, text;  ///< uint8 [1 or 3,h,w]; [h,w], or undefined

  explicit Placed(const SheetCell& cell) {
    const auto& from = cell.picture;
    const bool planar = from.defined() && from.dim() == 3 && (from.size(0) == 1 || from.size(0) == 3);
    if (!planar || from.numel() == 0) throw Error("a contact sheet shows pictures of 1 or 3 planes");
    picture = at::empty(from.sizes(), at::kByte);
    quantise(from.to(at::kCPU, at::kFloat), picture);
    if (!cell.caption.empty()) text = drawn(cell.caption);
    if (text.defined()) text = text.slice(1, 0, picture.size(2));
  }
  int64_t width() const { return picture.size(2); }
  int64_t height() const { return picture.size(1) + (text.defined() ? kTextGap + text.size(0) : 0); }
};

/// The largest of each column (or row), from the cells' sides.
std::vector<int64_t> largest(const std::vector<Placed>& cells, size_t columns, bool of_columns) {
  std::vector<int64_t> sides;
  for (size_t i = 0; i < cells.size(); i++) {
    const size_t line = of_columns ? i % columns : i / columns;
    if (line == sides.size()) sides.push_back(0);
    sides[line] = std::max(sides[line], of_columns ? cells[i].width() : cells[i].height());
  }
  return sides;
}

int64_t extent(const std::vector<int64_t>& sides) {
  return std::accumulate(sides.begin(), sides.end(), int64_t{kGap},
                         [](int64_t sum, int64_t side) { return sum + side + kGap; });
}

void lay(const Placed& cell, const Tensor& sheet, int64_t top, int64_t left) {
  const auto place = [&](int64_t y, int64_t height, int64_t width) {
    return sheet.slice(1, y, y + height).slice(2, left, left + width);
  };
  place(top, cell.picture.size(1), cell.width()).copy_(cell.picture);
  if (!cell.text.defined()) return;
  const auto ink = cell.text.to(at::kFloat) / 255;
  place(top + cell.picture.size(1) + kTextGap, cell.text.size(0), cell.text.size(1))
      .copy_((255 - ink * (255 - kInk)).round_().unsqueeze(0));
}

}  // namespace

Tensor contact_sheet(const std::vector<SheetCell>& cells, int columns) {
  if (cells.empty() || columns < 1) throw Error("a contact sheet needs a picture");
  const std::vector<Placed> placed(cells.begin(), cells.end());
  const auto in_row = static_cast<size_t>(columns);
  const auto widths = largest(placed, in_row, true), heights = largest(placed, in_row, false);
  const auto sheet = at::full({extent(heights), extent(widths), 3}, 255, at::kByte).permute({2, 0, 1});
  int64_t left = kGap, top = kGap;
  for (size_t i = 0; i < placed.size(); i++) {
    lay(placed[i], sheet, top, left);
    left += widths[i % in_row] + kGap;
    if ((i + 1) % in_row != 0) continue;
    left = kGap;
    top += heights[i / in_row] + kGap;
  }
  return sheet;
}

SheetFile sheet_file(const std::string& name) {
  const auto [path, options] = split_options(name);
  const auto format = Format::of_name(path);
  if (!format) throw UsageError(fmt::format("{}: no extension of a picture", printable(name)));
  SheetFile sheet{path, Format::parse(format->extension() + options)};
  check_save_options(sheet.format);
  return sheet;
}

void write_contact_sheet(const SheetFile& file, const std::vector<SheetCell>& cells, int columns) {
  encode(*rows_of(contact_sheet(cells, columns)), {}, file.path, {file.format, Depth::u8, Metadata::strip});
}

Tensor side_by_side(const Tensor& left, const Tensor& right) {
  const auto line = at::ones({3, left.size(1), kPairLine});
  return at::cat({left.expand({3, -1, -1}), line, right.expand({3, -1, -1})}, 2);
}

}  // namespace sr
