#include "image/contact_sheet.h"

#include <doctest.h>
#include <vips/vips.h>
#include <vips/vips8>

#include "core/error.h"
#include "image/decode.h"

namespace {

using sr::contact_sheet;
using sr::Tensor;

Tensor grey(int64_t height, int64_t width, double value, int64_t planes = 1) {
  return at::full({planes, height, width}, value);
}

/// Where the sheet has bytes of this value in all planes: top, left, height, width of the box around them.
std::array<int64_t, 4> box_of(const Tensor& sheet, int value) {
  const auto at = sheet.eq(value).all(0).nonzero();
  REQUIRE(at.size(0) > 0);
  const auto low = at.amin(0), high = at.amax(0);
  const auto number = [](const Tensor& t, int i) { return t[i].item<int64_t>(); };
  return {number(low, 0), number(low, 1), number(high, 0) - number(low, 0) + 1,
          number(high, 1) - number(low, 1) + 1};
}

}  // namespace

TEST_CASE("a contact sheet has a place for every picture, by its columns' and rows' largest") {
  const auto sheet =
      contact_sheet({{grey(10, 20, 0.2), ""}, {grey(30, 40, 0.4, 3), ""}, {grey(5, 50, 0.6), ""}}, 2);
  CHECK(sheet.sizes() == at::IntArrayRef({3, 8 + 30 + 8 + 5 + 8, 8 + 50 + 8 + 40 + 8}));
  CHECK(box_of(sheet, 51) == std::array<int64_t, 4>{8, 8, 10, 20});
  CHECK(box_of(sheet, 102) == std::array<int64_t, 4>{8, 66, 30, 40});
  CHECK(box_of(sheet, 153) == std::array<int64_t, 4>{46, 8, 5, 50});
}

TEST_CASE("captions stand beneath, whatever is in them, and are cut to the picture's width") {
  REQUIRE(VIPS_INIT("unit") == 0);
  const auto bare = contact_sheet({{grey(10, 60, 0.2), ""}}, 1);
  for (const std::string caption : {"plain.png", "<b>&.png", "\xff\xfe not UTF-8"}) {
    CAPTURE(caption);
    const auto sheet = contact_sheet({{grey(10, 60, 0.2), caption}}, 1);
    CHECK(sheet.size(1) > bare.size(1));
    CHECK(sheet.slice(1, 18).lt(128).any().item<bool>());
  }
  const auto lengthy = contact_sheet({{grey(10, 60, 0.2), std::string(200, 'M')}}, 1);
  CHECK(lengthy.size(2) == bare.size(2));
  CHECK(lengthy.slice(1, 18).slice(2, 68).eq(255).all().item<bool>());
}

TEST_CASE("a pair is one picture with a white line between its halves") {
  const auto pair = sr::side_by_side(grey(4, 5, 0), grey(4, 6, 0.5, 3));
  CHECK(pair.sizes() == at::IntArrayRef({3, 4, 13}));
  CHECK(pair.slice(2, 5, 7).eq(1).all().item<bool>());
}

TEST_CASE("what is no picture, and a sheet of none, are errors") {
  CHECK_THROWS_AS(contact_sheet({}, 2), sr::Error);
  CHECK_THROWS_AS(contact_sheet({{Tensor(), "a"}}, 1), sr::Error);
  CHECK_THROWS_AS(contact_sheet({{grey(4, 4, 0, 2), "a"}}, 1), sr::Error);
}

TEST_CASE("a sheet is written in the format of its name") {
  REQUIRE(VIPS_INIT("unit") == 0);
  const auto folder = sr::fs::temp_directory_path() / sr::fs::unique_path("sr-test-%%%%%%%%");
  sr::fs::create_directory(folder);
  const std::vector<sr::SheetCell> cells{{grey(10, 20, 0.2), "a"}, {grey(10, 20, 0.4), "b"}};
  for (const auto* name : {"sheet.png", "sheet.jpg[Q=95]"})
    sr::write_contact_sheet(sr::sheet_file((folder / name).string()), cells, 2);
  CHECK(sr::open_picture(folder / "sheet.jpg").loader == "jpegload_source");
  const auto read = sr::decode(sr::open_picture(folder / "sheet.png")).mul(255).round().to(at::kByte);
  CHECK(read.equal(contact_sheet(cells, 2)));
  CHECK_THROWS_AS(sr::sheet_file("sheet"), sr::UsageError);
  sr::fs::remove_all(folder);
}
