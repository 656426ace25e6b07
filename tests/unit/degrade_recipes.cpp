// Pipelines, the recipes drawn from them, and their files.

#include <algorithm>
#include <cmath>
#include <doctest.h>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <numbers>

#include "cli/share.h"
#include "core/error.h"
#include "degrade/draw.h"

namespace {

using namespace sr;

Pipeline preset(const std::string& name) { return read_pipeline(name, presets_folder()); }

/// A pipeline written for a test, in a file that is removed again.
class PipelineFile {
 public:
  explicit PipelineFile(const std::string& text)
      : path_(fs::temp_directory_path() / fs::unique_path("sr-%%%%%%%%.toml")) {
    std::ofstream(path_.string()) << text;
  }
  ~PipelineFile() { fs::remove(path_); }
  Pipeline read() const { return read_pipeline(path_.string(), presets_folder()); }
  /// The error, without the folder.
  std::string refusal() const {
    try {
      read();
    } catch (const UsageError& error) {
      const std::string text = error.what();
      return text.substr(path_.parent_path().string().size() + 1 + path_.filename().string().size() + 1);
    }
    return "";
  }

 private:
  fs::path path_;
};

std::vector<Recipe> draw_many(const Pipeline& pipeline, int count, std::int64_t side = 512) {
  std::vector<Recipe> recipes;
  for (int i = 0; i < count; i++) {
    recipes.push_back(draw_recipe(pipeline, {fmt::format("{:05}.png", i), side, side}, {0, 0, true}, 1));
  }
  return recipes;
}

const Step* find(const Recipe& recipe, const std::string& name) {
  const auto at = std::find_if(recipe.steps.begin(), recipe.steps.end(),
                               [&](const Step& step) { return step.name == name; });
  return at == recipe.steps.end() ? nullptr : &*at;
}

template <class Op>
const Op* find_op(const Recipe& recipe, const std::string& name) {
  const auto* step = find(recipe, name);
  return step == nullptr ? nullptr : std::get_if<Op>(&step->operation);
}

std::ptrdiff_t place(const Recipe& recipe, const std::string& name) {
  return find(recipe, name) - recipe.steps.data();
}

/// Counts how often things happen, and compares with probabilities.
class Tally {
 public:
  explicit Tally(double errors) : errors_(errors) {}
  void happened(const std::string& what, bool yes) {
    trials_[what]++;
    hits_[what] += yes;
  }
  void expect(const std::string& what, double probability) {
    CAPTURE(what);
    const double n = trials_[what], share = hits_[what] / n;
    REQUIRE(n > 0);
    CHECK(std::abs(share - probability) <= errors_ * std::sqrt(probability * (1 - probability) / n));
  }

 private:
  double errors_;
  std::map<std::string, double> trials_, hits_;
};

void check_in(double value, double low, double high) {
  CHECK(value >= low);
  CHECK(value <= high);
}

// --- Real-ESRGAN and SeeSR ---------------------------------------------------------------------------------

void tally_blur(Tally& tally, const Recipe& recipe, const std::string& name, double largest_sigma) {
  const auto* blur = find_op<Blur>(recipe, name);
  tally.happened(name, blur != nullptr);
  if (blur == nullptr) return;
  for (int size = 7; size <= 21; size += 2)
    tally.happened(fmt::format("{} size {}", name, size), blur->size == size);
  tally.happened(name + " sinc", blur->kernel == KernelKind::sinc);
  const double pi = std::numbers::pi;
  if (blur->kernel == KernelKind::sinc) return check_in(blur->cutoff, pi / (blur->size < 13 ? 3 : 5), pi);
  for (int kind = 0; kind < 6; kind++) {
    tally.happened(fmt::format("{} kind {}", name, kind), blur->kernel == static_cast<KernelKind>(kind));
  }
  check_in(blur->sigma_x, 0.2, largest_sigma);
  check_in(blur->sigma_y, 0.2, largest_sigma);
  const bool isotropic = static_cast<int>(blur->kernel) % 2 == 0;
  if (isotropic) CHECK(blur->sigma_x == blur->sigma_y);
  check_in(blur->rotation, isotropic ? 0 : -pi, isotropic ? 0 : pi);
  const bool plateau = blur->kernel >= KernelKind::plateau_iso;
  if (blur->kernel < KernelKind::generalized_iso) return;
  check_in(blur->beta, plateau ? 1 : 0.5, plateau ? 2 : 4);
  tally.happened(name + (plateau ? " plateau at 1" : " generalized below 1"),
                 plateau ? blur->beta == 1 : blur->beta < 1);
}

void expect_blur(Tally& tally, const std::string& name) {
  const double kinds[] = {0.45, 0.25, 0.12, 0.03, 0.12, 0.03};
  for (int kind = 0; kind < 6; kind++) tally.expect(fmt::format("{} kind {}", name, kind), kinds[kind]);
  for (int size = 7; size <= 21; size += 2) tally.expect(fmt::format("{} size {}", name, size), 1.0 / 8);
  tally.expect(name + " sinc", 0.1);
  tally.expect(name + " plateau at 1", 0.5);
  tally.expect(name + " generalized below 1", 0.5);
}

void tally_modes(Tally& tally, const Recipe& recipe, const std::string& name) {
  const auto* resize = find_op<Resize>(recipe, name);
  REQUIRE(resize != nullptr);
  for (int mode = 0; mode < 3; mode++) {
    tally.happened(fmt::format("{} mode {}", name, mode), resize->mode == static_cast<ResizeMode>(mode));
  }
}

void tally_noise(Tally& tally, const Recipe& recipe, const std::string& name, double sigma, double scale) {
  const auto* gaussian = find_op<GaussianNoise>(recipe, name);
  const auto* poisson = find_op<PoissonNoise>(recipe, name);
  REQUIRE((gaussian != nullptr) != (poisson != nullptr));
  tally.happened(name + " gaussian", gaussian != nullptr);
  tally.happened(name + " gray", gaussian != nullptr ? gaussian->gray : poisson->gray);
  if (gaussian != nullptr) check_in(gaussian->sigma, 1, sigma);
  if (poisson != nullptr) check_in(poisson->scale, 0.05, scale);
}

void tally_directions(Tally& tally, const Recipe& recipe) {
  const double first = find_op<Resize>(recipe, "resize1")->factor;
  check_in(first, 0.15, 1.5);
  tally.happened("resize1 up", first > 1);
  tally.happened("resize1 keep", first == 1);
  const auto* second = find_op<Resize>(recipe, "resize2");
  check_in(static_cast<double>(second->width), std::floor(128 * 0.3), 128 * 1.2);
  tally.happened("resize2 up or keep", second->width >= 128);
}

void check_second_order(const std::string& name, int count, double errors) {
  CAPTURE(name);
  Tally tally(errors);
  for (const auto& recipe : draw_many(preset(name), count)) {
    tally_blur(tally, recipe, "blur1", 3);
    tally_blur(tally, recipe, "blur2", 1.5);
    for (const auto* resize : {"resize1", "resize2", "resize3"}) tally_modes(tally, recipe, resize);
    tally_directions(tally, recipe);
    tally_noise(tally, recipe, "noise1", 30, 3);
    tally_noise(tally, recipe, "noise2", 25, 2.5);
    for (const auto* jpeg : {"jpeg1", "jpeg2"}) check_in(find_op<DiffJpeg>(recipe, jpeg)->quality, 30, 95);
    const auto* sinc = find_op<Blur>(recipe, "sinc");
    tally.happened("sinc", sinc != nullptr);
    if (sinc != nullptr) check_in(sinc->cutoff, std::numbers::pi / 3, std::numbers::pi);
    tally.happened("resize before jpeg", place(recipe, "resize3") < place(recipe, "jpeg2"));
    if (sinc != nullptr) CHECK(place(recipe, "sinc") == place(recipe, "resize3") + 1);
    tally.happened("flip", recipe.cut.flip);
  }
  expect_blur(tally, "blur1");
  expect_blur(tally, "blur2");
  tally.expect("blur1", 1);
  tally.expect("blur2", 0.8);
  for (const auto* resize : {"resize1", "resize2", "resize3"}) {
    for (int mode = 0; mode < 3; mode++) tally.expect(fmt::format("{} mode {}", resize, mode), 1.0 / 3);
  }
  tally.expect("resize1 up", 0.2);
  tally.expect("resize1 keep", 0.1);
  tally.expect("resize2 up or keep", 0.6);
  for (const auto* noise : {"noise1", "noise2"}) {
    tally.expect(std::string(noise) + " gaussian", 0.5);
    tally.expect(std::string(noise) + " gray", 0.4);
  }
  tally.expect("sinc", 0.8);
  tally.expect("resize before jpeg", 0.5);
  tally.expect("flip", 0.5);
}

// --- BSRGAN ------------------------------------------------------------------------------------------------

void tally_bsrgan_blur(Tally& tally, const Recipe& recipe, const std::string& name, double factor) {
  const auto* blur = find_op<Blur>(recipe, name);
  REQUIRE(blur != nullptr);
  const bool isotropic = blur->kernel == KernelKind::iso;
  tally.happened(name + " iso", isotropic);
  for (int size = 7; size <= 25; size += 2)
    tally.happened(fmt::format("{} size {}", name, size), blur->size == size);
  const double largest = isotropic ? 2 + 0.2 * factor : std::sqrt(4 + factor);
  check_in(blur->sigma_x, 0, largest);
  check_in(blur->sigma_y, 0, largest);
  check_in(blur->rotation, 0, std::numbers::pi);
}

void tally_bsrgan(Tally& tally, const Recipe& recipe) {
  const auto* halve = find_op<Resize>(recipe, "halve");
  const double factor = halve != nullptr ? 2 : 4;
  tally.happened("halve", halve != nullptr);
  if (halve != nullptr) tally.happened("halve matlab", halve->mode == ResizeMode::matlab);
  tally_bsrgan_blur(tally, recipe, "blur1", factor);
  tally_bsrgan_blur(tally, recipe, "blur2", factor);
  const auto* shrink = find_op<Resize>(recipe, "shrink");
  const auto* subsample = find_op<Subsample>(recipe, "subsample");
  REQUIRE((shrink != nullptr) != (subsample != nullptr));
  tally.happened("shrink", shrink != nullptr);
  const double before = 2048 / 4 * factor;  // sides when it shrinks
  if (shrink != nullptr)
    check_in(static_cast<double>(shrink->width), std::floor(before / (2 * factor)), before);
  if (subsample != nullptr) check_in(subsample->sigma, 0.1, 0.6 * factor);
  if (subsample != nullptr) CHECK(subsample->scale == factor);
  const auto shrinks = shrink != nullptr ? "shrink" : "subsample";
  CHECK(place(recipe, shrinks) < place(recipe, "resize"));
  CHECK(find_op<Resize>(recipe, "resize")->width == 512);
  const auto* noise = find_op<GaussianNoise>(recipe, "noise");
  tally.happened("correlated", noise == nullptr);
  tally.happened("gray", noise != nullptr && noise->gray);
  if (noise != nullptr) check_in(noise->sigma, 2, 25);
  if (noise != nullptr) CHECK(noise->sigma == std::floor(noise->sigma));
  tally.happened("jpeg1", find(recipe, "jpeg1") != nullptr);
  tally.happened("camera", find(recipe, "camera") != nullptr);
  check_in(find_op<CodecJpeg>(recipe, "jpeg2")->quality, 30, 95);
  CHECK(recipe.steps.back().name == "jpeg2");
  tally.happened("blur1 before noise", place(recipe, "blur1") < place(recipe, "noise"));
}

void check_bsrgan(int count, double errors) {
  Tally tally(errors);
  for (const auto& recipe : draw_many(preset("bsrgan"), count, 2048)) tally_bsrgan(tally, recipe);
  tally.expect("halve", 0.25);
  tally.expect("halve matlab", 0.5);
  for (const auto* blur : {"blur1", "blur2"}) {
    tally.expect(std::string(blur) + " iso", 0.5);
    for (int size = 7; size <= 25; size += 2) tally.expect(fmt::format("{} size {}", blur, size), 0.1);
  }
  tally.expect("shrink", 0.75);
  tally.expect("correlated", 0.2);
  tally.expect("gray", 0.4);
  tally.expect("jpeg1", 0.9);
  tally.expect("camera", 0.25);
  tally.expect("blur1 before noise", 0.5);
}

}  // namespace

TEST_CASE("recipes have the documented distributions") {
  for (const auto* name : {"realesrgan", "seesr"}) check_second_order(name, 1000, 3);
  check_bsrgan(1000, 3);
}

TEST_CASE("many recipes come closer to the documented distributions") {
  check_second_order("realesrgan", 20000, 4.5);
  check_bsrgan(20000, 4.5);
}

TEST_CASE("bicubic draws nothing") {
  const auto recipe = draw_recipe(preset("bicubic"), {"a.png", 50, 41}, {}, 3);
  REQUIRE(recipe.steps.size() == 1);
  const auto* resize = std::get_if<Resize>(&recipe.steps[0].operation);
  REQUIRE(resize != nullptr);
  CHECK(resize->mode == ResizeMode::matlab);
  CHECK(resize->factor == 0.25);
  CHECK(recipe.cut.height == 50);
}

TEST_CASE("a recipe depends on seed and name alone, and survives its file") {
  const auto pipeline = preset("bsrgan");
  for (int i = 0; i < 200; i++) {
    const Subject subject{fmt::format("folder/{}.png", i), 300, 401};
    const auto recipe = draw_recipe(pipeline, subject, {128, 0, true}, 5);
    const auto line = to_json(recipe);
    CHECK(line == to_json(draw_recipe(pipeline, subject, {128, 0, true}, 5)));
    CHECK(line != to_json(draw_recipe(pipeline, subject, {128, 0, true}, 6)));
    CHECK(line == to_json(recipe_from_json(line)));
  }
}

TEST_CASE("of a batch, each sample has its own final sinc or none") {
  int sincs = 0, pulses = 0;
  for (int batch = 0; batch < 40; batch++) {
    for (const auto& recipe :
         draw_recipes(preset("realesrgan"), {fmt::format("step {}", batch), 256, 256}, 5, 1)) {
      const auto* blur = find_op<Blur>(recipe, "sinc");
      REQUIRE(blur != nullptr);
      sincs += blur->kernel == KernelKind::sinc;
      pulses += blur->kernel == KernelKind::pulse;
    }
  }
  CHECK(sincs + pulses == 200);
  CHECK(std::abs(pulses - 40) < 17);  // 3 standard errors
}

TEST_CASE("names that are no text come back from their recipes") {
  CHECK(name_in_recipe("grün/a b.png") == "grün/a b.png");
  CHECK(name_in_recipe("\xff\\.png") == "\\xFF\\x5C.png");
  CHECK(name_in_recipe("\xff.png") != name_in_recipe("\xfe.png"));
  const auto recipe = draw_recipe(preset("bicubic"), {"\xff.png", 40, 40}, {}, 0);
  CHECK(recipe_from_json(to_json(recipe)).image == name_in_recipe("\xff.png"));
}

TEST_CASE("pipelines cannot make pictures without bound") {
  const auto draw = [](const std::string& text) {
    return draw_recipe(PipelineFile(text).read(), {"a", 512, 512}, {}, 0);
  };
  const std::string grow = "[g]\nop = \"resize\"\nmodes = [\"area\"]\nfactor = 64\n";
  CHECK_THROWS_WITH(draw("order = [\"g\", \"g\", \"g\"]\n" + grow),
                    "step 'g' would make too large a picture");
  CHECK_THROWS_AS(draw("order = [\"d\"]\n[d]\nop = \"resize\"\nmodes = [\"cv_area\"]\ndivisor = [0, 1e-5]\n"),
                  Error);
  CHECK_THROWS_AS(
      draw("scale = 1\norder = [\"h\", \"s\"]\n[h]\nop = \"resize\"\nfactor = 0.5\nmodes = [\"area\"]\n"
           "[s]\nop = \"subsample\"\nsize = 25\nsigma = [1, 2]\n"),
      Error);
}

TEST_CASE("a batch shares what decides sizes, and nothing else") {
  const auto recipes = draw_recipes(preset("realesrgan"), {"step 7", 256, 256}, 4, 1);
  REQUIRE(recipes.size() == 4);
  for (const auto& recipe : recipes) {
    REQUIRE(recipe.steps.size() == recipes[0].steps.size());
    for (size_t i = 0; i < recipe.steps.size(); i++) CHECK(recipe.steps[i].name == recipes[0].steps[i].name);
    CHECK(find_op<Resize>(recipe, "resize1")->factor == find_op<Resize>(recipes[0], "resize1")->factor);
  }
  CHECK(find_op<DiffJpeg>(recipes[0], "jpeg1")->quality != find_op<DiffJpeg>(recipes[1], "jpeg1")->quality);
}

TEST_CASE("pictures too small for a crop or a scale are refused") {
  CHECK_THROWS_WITH(draw_recipe(preset("seesr"), {"a", 100, 600}, {512, 0, true}, 0),
                    "600x100 pixels are too few for a crop of 512x512");
  CHECK_THROWS_WITH(draw_recipe(preset("realesrgan"), {"a", 3, 9}, {}, 0),
                    "9x3 pixels are too few for a scale of 4");
}

TEST_CASE("bad recipes are refused") {
  CHECK_THROWS_AS(recipe_from_json("{"), Error);
  CHECK_THROWS_AS(recipe_from_json("[]"), Error);
  CHECK_THROWS_AS(recipe_from_json(R"({"image":"a","cut":{}})"), Error);
  CHECK_THROWS_WITH(recipe_from_json(R"({"cut":{},"steps":[{"op":"melt"}]})"), "'melt' is no operation");
  CHECK_THROWS_WITH(recipe_from_json(R"({"cut":{},"steps":[{"op":"blur","sizes":3}]})"),
                    "'sizes' is not known here");
  CHECK_THROWS_WITH(recipe_from_json(R"({"cut":{},"steps":[{"op":"blur","kernel":"round"}]})"),
                    "'round' is no kernel");
  CHECK_THROWS_AS(recipe_from_json(R"({"cut":{},"steps":[{"op":"blur","size":"big"}]})"), Error);
  CHECK_THROWS_AS(recipe_from_json(R"({"cut":{},"steps":[{"op":"blur","size":7.5}]})"), Error);
  CHECK_THROWS_AS(recipe_from_json(R"({"cut":{},"steps":[{"op":"blur","size":4294967303}]})"), Error);
  CHECK_THROWS_AS(recipe_from_json(R"({"cut":{},"steps":[{"op":"blur","size":60001}]})"), Error);
  CHECK_THROWS_AS(recipe_from_json(R"({"cut":{},"steps":[{"op":"resize","factor":1e300}]})"), Error);
  CHECK_THROWS_AS(recipe_from_json(R"({"cut":{},"steps":[{"op":"diff_jpeg","quality":100}]})"), Error);
  CHECK_THROWS_AS(recipe_from_json(R"({"cut":{},"steps":null})"), Error);
}

TEST_CASE("a file of one's own changes a preset") {
  const PipelineFile file("extends = \"realesrgan\"\nscale = 2\n[blur1]\nkernels = { iso = 1 }\nsinc = 0\n");
  const auto pipeline = file.read();
  CHECK(pipeline.scale == 2);
  CHECK(pipeline.steps.size() == preset("realesrgan").steps.size());
  for (const auto& recipe : draw_many(pipeline, 50))
    CHECK(find_op<Blur>(recipe, "blur1")->kernel == KernelKind::iso);
}

TEST_CASE("wrong settings are refused with their line") {
  const std::string base = "extends = \"realesrgan\"\n";
  const auto refusal = [&](const std::string& text) { return PipelineFile(base + text).refusal(); };
  CHECK(refusal("[blur1]\nsigma = [-1, 3]") == "3: -1 is less than 0");
  CHECK(refusal("[blur1]\nkernels = { iso = 0.5, aniso = 0.4 }") ==
        "3: the probabilities sum to 0.9, not to 1");
  CHECK(refusal("[blur1]\nkernels = { square = 1 }") == "3: 'square' is not known here");
  CHECK(refusal("[blur1]\n\nprob = 1.5") == "4: 1.5 is not between 0 and 1");
  CHECK(refusal("[blur1]\nsize = [7, 20]") == "3: kernel sizes are odd: from, to odd, step even");
  CHECK(refusal("[noise1]\nsigma = [30, 1]") == "3: the range ends at 1, before it begins at 30");
  CHECK(refusal("[jpeg1]\nquality = [30, 100]") == "3: DiffJPEG divides by zero at quality 100; stay below");
  CHECK(refusal("[blur1]\nbeta_plateau = [2, 4]") ==
        "3: half of the draws lie on either side of 1: from <= 1 <= to");
  CHECK(refusal("[jpeg1]\nquality = { from = 30, to = 40, to_per_factor = 1 }") ==
        "3: this range cannot grow with the factor");
  CHECK(refusal("[resize1]\nfactor = 0.5") != "");
  CHECK(refusal("[noise1]\nper_sample = true") == "3: only a blur can be left out of one sample");
  CHECK(refusal("order = [{ shuffle = [\"blur1\"], keep = [\"blur2\"] }]") ==
        "2: 'blur2' is not among the shuffled");
  CHECK(refusal("[jpeg1]\nquality = 50") == "3: a list is wanted here");
  CHECK(refusal("[extra]\nop = \"melt\"").rfind("3: 'melt' is no operator", 0) == 0);
  CHECK(refusal("[extra]\nprob = 1") == "2: 'op' is missing here");
  CHECK(refusal("[blur1]\nsigmas = [1, 2]").rfind("3: 'sigmas' is not known here", 0) == 0);
  CHECK(refusal("order = [\"blur9\"]") == "2: there is no table [blur9]");
  CHECK(refusal("order = []") == "2: a pipeline has at least one step");
  CHECK(refusal("speed = 3").rfind("2: 'speed' is not known here", 0) == 0);
  CHECK(refusal("order = [\n") != "");
  CHECK(PipelineFile("\nextends = \"nothing\"").refusal() == "2: there is no preset 'nothing'");
  CHECK(refusal("order = [{ choose = [\"blur1\", \"blur2\"], probabilities = [0.5, 0.6] }]") ==
        "2: the probabilities sum to 1.1, not to 1");
  CHECK(refusal("order = [\"blur1\"]\n[pair]\nsharpen = true") ==
        "4: the first step must be a sharpen with prob = 1 for this");
}
