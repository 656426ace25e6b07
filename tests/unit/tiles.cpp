#include "infer/tiles.h"

#include <doctest.h>

using sr::TileMargins;

TEST_CASE("tiles cover an axis once, and their weights add up to one") {
  for (const int length : {1, 7, 63, 64, 65, 200, 333}) {
    for (const int size : {0, 1, 16, 50, 64, 1000}) {
      for (const TileMargins margins : {TileMargins{18, 0, 1}, TileMargins{32, 8, 8}, TileMargins{0, 0, 1},
                                        TileMargins{96, 8, 1}, TileMargins{10, 0, 2}}) {
        const auto tiles = sr::plan_axis(length, size, margins);
        std::vector<float> sums(static_cast<size_t>(length) * 2);
        for (const auto& tile : tiles) {
          CHECK(tile.input_begin <= tile.begin);
          CHECK(tile.end <= tile.input_end);
          CHECK(tile.input_begin >= 0);
          CHECK(tile.input_end <= length);
          CHECK(tile.input_begin % margins.alignment == 0);
          const bool sees_enough_left =
              tile.input_begin == 0 || tile.begin - tile.input_begin >= margins.context;
          const bool sees_enough_right =
              tile.input_end == length || tile.input_end - tile.end >= margins.context;
          CHECK(sees_enough_left);
          CHECK(sees_enough_right);
          for (int i = 0; i < (tile.end - tile.begin) * 2; i++) {
            sums.at(static_cast<size_t>(tile.begin * 2 + i)) +=
                sr::blend_weight(tile, i, length, 2, margins.blend);
          }
        }
        for (const float sum : sums) CHECK(sum == doctest::Approx(1));
      }
    }
  }
}

TEST_CASE("a given size cuts at its multiples, as Real-ESRGAN does") {
  const auto tiles = sr::plan_axis(220, 64, {10, 0, 1});
  REQUIRE(tiles.size() == 4);
  CHECK(tiles[1].begin == 64);
  CHECK(tiles[1].input_begin == 54);
  CHECK(tiles[1].input_end == 138);
  CHECK(tiles[3].end == 220);
}

TEST_CASE("even tiles") {
  CHECK(sr::even_tile(100, 64) == 50);
  CHECK(sr::even_tile(64, 64) == 64);
  CHECK(sr::even_tile(129, 64) == 43);
}
