// Carrying recipes out, batches, PIL's resize.

#include <doctest.h>
#include <fmt/format.h>

#include "cli/share.h"
#include "core/error.h"
#include "degrade/apply.h"
#include "degrade/draw.h"
#include "degrade/pil_resize.h"

namespace {

using namespace sr;

Pipeline preset(const std::string& name) { return read_pipeline(name, presets_folder()); }

/// Smooth structure with some noise, the same every time.
Tensor photograph(std::int64_t count, std::int64_t height, std::int64_t width) {
  const auto image = at::empty({count, 3, height, width});
  RandomStream(9, "photograph", "test").fill_normal(image);
  const auto waves =
      at::sin(at::arange(width, at::kFloat) / 7) * at::cos(at::arange(height, at::kFloat) / 5).unsqueeze(1);
  return (image * 0.06 + waves * 0.4 + 0.5).clamp(0, 1);
}

}  // namespace

TEST_CASE("every preset leaves LR pictures of the right size in [0,1]") {
  const auto picture = photograph(1, 130, 171);
  for (const auto* name : {"realesrgan", "seesr", "bsrgan"}) {
    for (int i = 0; i < 12; i++) {
      const auto recipe = draw_recipe(preset(name), {fmt::format("{}.png", i), 130, 171}, {0, 0, true}, 4);
      const auto hr = cut_hr(picture, recipe);
      const auto lr = degrade(hr, {&recipe, 1});
      CHECK(hr.sizes() == at::IntArrayRef({1, 3, 128, 168}));
      CHECK(lr.sizes() == at::IntArrayRef({1, 3, 32, 42}));
      CHECK(lr.min().item<float>() >= 0);
      CHECK(lr.max().item<float>() <= 1);
    }
  }
}

TEST_CASE("a batch is degraded as its samples are one by one") {
  const auto hr = photograph(3, 96, 120);
  for (int batch = 0; batch < 6; batch++) {
    const auto recipes = draw_recipes(preset("realesrgan"), {fmt::format("step {}", batch), 96, 120}, 3, 2);
    const auto together = degrade(hr, recipes);
    for (std::int64_t i = 0; i < 3; i++) {
      const auto alone = degrade(hr.narrow(0, i, 1), {&recipes[static_cast<size_t>(i)], 1});
      CHECK(at::equal(together.narrow(0, i, 1), alone));
    }
  }
}

TEST_CASE("recipes that differ in kind share a batch all the same") {
  const auto hr = photograph(2, 96, 96);
  const std::vector<Recipe> recipes{draw_recipe(preset("bsrgan"), {"a", 96, 96}, {}, 1),
                                    draw_recipe(preset("realesrgan"), {"b", 96, 96}, {}, 1)};
  const auto lr = degrade(hr, recipes);
  CHECK(at::equal(lr.narrow(0, 0, 1), degrade(hr.narrow(0, 0, 1), {&recipes[0], 1})));
  CHECK(at::equal(lr.narrow(0, 1, 1), degrade(hr.narrow(0, 1, 1), {&recipes[1], 1})));
}

TEST_CASE("the result does not depend on the number of threads") {
  const auto hr = photograph(1, 200, 200);
  const int threads = at::get_num_threads();
  for (const auto* name : {"realesrgan", "bsrgan"}) {
    for (int i = 0; i < 8; i++) {
      const auto recipe = draw_recipe(preset(name), {fmt::format("{}", i), 200, 200}, {}, 11);
      at::set_num_threads(1);
      const auto one = degrade(hr, {&recipe, 1});
      at::set_num_threads(4);
      CHECK(at::equal(one, degrade(hr, {&recipe, 1})));
    }
  }
  at::set_num_threads(threads);
}

TEST_CASE("HR pictures are cut as the recipe says") {
  const auto picture = photograph(1, 64, 80);
  Recipe recipe{"a", 64, 80, 4, false, {}, {}};
  recipe.cut = {0, 8, 4, 32, 40, true, false};
  CHECK(at::equal(cut_hr(picture, recipe), picture.narrow(2, 4, 32).narrow(3, 8, 40).flip({3})));
  recipe.cut.left = 41;
  CHECK_THROWS_WITH(cut_hr(picture, recipe), "the recipe's cut reaches beyond the picture");
  recipe.cut = {0, 0, 0, 64, 80, false, true};
  CHECK_THROWS_AS(cut_hr(picture, recipe), Error);
  recipe.height = 65;
  CHECK_THROWS_WITH(cut_hr(picture, recipe), "the picture has 80x64 pixels, its recipe is for 80x65");
}

TEST_CASE("PIL's Lanczos keeps flat pictures flat and the 8-bit grid") {
  const auto flat = at::full({1, 3, 37, 53}, 77.F / 255);
  CHECK(at::equal(pil_lanczos(flat, 20, 90), at::full({1, 3, 20, 90}, 77.F / 255)));
  const auto picture = (photograph(1, 40, 60) * 255).round() / 255;
  const auto levels = pil_lanczos(picture, 24, 24) * 255;
  CHECK(at::allclose(levels, levels.round(), 0, 1e-4));
  CHECK(at::equal(pil_lanczos(picture, 40, 60), picture));
}
