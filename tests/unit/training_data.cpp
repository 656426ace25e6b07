// Training data: plans, crops, caches, batches.

#include "degrade/interpolate.h"
#include "image/samples.h"
#include "image/vips.h"
#include "training/augmentation.h"
#include "training/batch_source.h"
#include "training/sample_maker.h"
#include "training/shrunken_crop.h"

// LibTorch's headers may bring glog's CHECK; doctest's must come after it.
#undef CHECK
#include <algorithm>
#include <cmath>
#include <doctest.h>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <set>
#include <sys/stat.h>

#include "cli/share.h"
#include "image/decode.h"
#include "weights_testing.h"

namespace {

using namespace sr;
using namespace sr::testing;

/// Random levels, the same every time for the same name: uint8 [height,width,3].
Tensor levels(const std::string& name, std::int64_t height, std::int64_t width) {
  const auto values = at::empty({height, width, 3});
  RandomStream(1, name, "levels").fill_normal(values);
  return (values * 64 + 128).clamp(0, 255).to(at::kByte);
}

void write_picture(const fs::path& file, const Tensor& pixels) {
  fs::create_directories(file.parent_path());
  const auto contiguous = pixels.contiguous();
  vips::VImage::new_from_memory(contiguous.data_ptr(), static_cast<size_t>(contiguous.numel()),
                                static_cast<int>(pixels.size(1)), static_cast<int>(pixels.size(0)), 3,
                                VIPS_FORMAT_UCHAR)
      .copy(vips::VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB))
      .write_to_file(file.c_str());
}

/// A folder with pictures of several sizes, and libvips running.
class Data {
 public:
  explicit Data(int pictures = 5) {
    static const VipsSession session("unit", 1);
    for (int i = 0; i < pictures; i++) {
      const auto name = fmt::format("{}/{}.png", i % 2 == 0 ? "even" : "odd", i);
      write_picture(folder() / name, levels(name, 50 + 3 * i, 71 - 2 * i));
    }
  }
  const fs::path& path() const { return scratch_.path(); }
  fs::path folder() const { return path() / "hr"; }

  DataConfig config() const {
    DataConfig config;
    config.sources = {{{folder()}, {}, 1}};
    config.crop = 16;
    config.batch = 6;
    config.presets = share_folder() / "presets";
    config.workers = 2;
    config.seed = 5;
    return config;
  }

  /// A degradation that changes nothing, at scale 1.
  std::string identity() const {
    return scratch_.write("identity.toml", "scale = 1\norder = [\"round\"]\n[round]\nop = \"round\"\n")
        .string();
  }

 private:
  ScratchFolder scratch_;
};

std::vector<TrainingBatch> batches(const DataConfig& config, std::int64_t first, int count, int rank = 0,
                                   int ranks = 1) {
  BatchSource source(config, first, rank, ranks);
  std::vector<TrainingBatch> result;
  for (int i = 0; i < count; i++) result.push_back(source.next());
  return result;
}

bool equal(const TrainingBatch& a, const TrainingBatch& b) {
  return at::equal(a.lr, b.lr) && at::equal(a.hr, b.hr);
}

bool equal(const std::vector<TrainingBatch>& a, const std::vector<TrainingBatch>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return equal(x, y); });
}

/// What a usage error says; fails the test where there is none.
std::string refusal(const DataConfig& config, int rank = 0, int ranks = 1) {
  CHECK_THROWS_AS(BatchSource(config, 0, rank, ranks), UsageError);
  return error_of([&] { BatchSource(config, 0, rank, ranks); });
}

void cut_short(const fs::path& file) { fs::resize_file(file, fs::file_size(file) / 2); }

std::pair<ino_t, std::int64_t> identity_of(const fs::path& file) {
  struct stat status {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  return {status.st_ino, status.st_size};
}

}  // namespace

TEST_CASE("a plan shows every picture once an epoch, in another order each time") {
  SamplePlan plan({{7, 1}}, 3, 11, 0);
  std::vector<size_t> shown;
  for (int i = 0; i < 7; i++) {
    for (const auto& sample : plan.next()) shown.push_back(sample.picture);
  }
  std::set<std::vector<size_t>> orders;
  for (auto at = shown.begin(); at != shown.end(); at += 7) {
    CHECK(std::set<size_t>(at, at + 7).size() == 7);
    orders.emplace(at, at + 7);
  }
  CHECK(orders.size() == 3);
}

TEST_CASE("a plan that begins anywhere goes on as the one that began at 0") {
  for (const auto& sources : {std::vector<PlannedSource>{{7, 1}}, {{7, 1}, {3, 0.5}, {11, 2}}}) {
    SamplePlan whole(sources, 4, 2, 0);
    for (int first = 0; first < 20; first++) {
      const auto expected = whole.next();
      const auto samples = SamplePlan(sources, 4, 2, first).next();
      for (size_t i = 0; i < 4; i++) {
        CHECK(samples[i].item == expected[i].item);
        CHECK(samples[i].source == expected[i].source);
        CHECK(samples[i].picture == expected[i].picture);
      }
    }
  }
}

TEST_CASE("sources are drawn by their weights, and each shows its pictures once an epoch") {
  const std::vector<PlannedSource> sources{{5, 1}, {3, 3}, {1, 0.5}};
  SamplePlan plan(sources, 10, 3, 0);
  std::vector<std::vector<int>> counts{std::vector<int>(5), std::vector<int>(3), std::vector<int>(1)};
  constexpr int kSamples = 9000;
  for (int i = 0; i < kSamples / 10; i++) {
    for (const auto& sample : plan.next()) counts[sample.source][sample.picture]++;
  }
  for (size_t s = 0; s < sources.size(); s++) {
    const double p = sources[s].weight / 4.5;
    int sum = 0;
    for (const int count : counts[s]) sum += count;
    CHECK(std::abs(sum - kSamples * p) < 4 * std::sqrt(kSamples * p * (1 - p)));
    const auto [least, most] = std::minmax_element(counts[s].begin(), counts[s].end());
    CHECK(*most - *least <= 1);
  }
}

TEST_CASE("plans of other seeds differ; bad weights and empty sources are refused") {
  CHECK(SamplePlan({{1000, 1}}, 1, 1, 0).next()[0].picture !=
        SamplePlan({{1000, 1}}, 1, 2, 0).next()[0].picture);
  CHECK_THROWS_AS(SamplePlan({}, 1, 1, 0), UsageError);
  CHECK_THROWS_AS(SamplePlan({{0, 1}}, 1, 1, 0), UsageError);
  CHECK_THROWS_AS(SamplePlan({{3, 0}}, 1, 1, 0), UsageError);
  CHECK_THROWS_AS(SamplePlan({{3, NAN}}, 1, 1, 0), UsageError);
}

TEST_CASE("a square is laid down in eight ways") {
  const auto square = at::arange(9, at::kFloat).reshape({1, 3, 3});
  std::set<std::vector<float>> ways;
  for (int bits = 0; bits < 8; bits++) {
    const auto image = augmented(square, {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0}).contiguous();
    ways.emplace(image.data_ptr<float>(), image.data_ptr<float>() + 9);
  }
  CHECK(ways.size() == 8);
  const auto turned = augmented(square, {true, false, true});
  CHECK(at::equal(turned, square.flip({2}).transpose(1, 2)));
  RandomStream stream(1, "a", "augmentation");
  for (int i = 0; i < 50; i++) {
    const auto none = draw_augmentation(false, false, stream);
    CHECK_FALSE((none.mirrored || none.upended || none.transposed));
  }
}

TEST_CASE("crops of a shrunken picture equal those of the whole LR picture, wherever they lie") {
  const auto picture = levels("shrunken", 61, 47);
  const Pixels pixels{{61, 47}, {picture.data_ptr<std::uint8_t>(), static_cast<size_t>(picture.numel())}, {}};
  const auto image = picture.permute({2, 0, 1}).to(at::kFloat) / 255;
  for (const int scale : {1, 2, 3, 4}) {
    const auto height = 61 / scale, width = 47 / scale;
    const auto cut = image.narrow(1, 0, height * scale).narrow(2, 0, width * scale).contiguous();
    const auto whole = rounded_to_8_bits(imresize(cut, 1.0 / scale));
    REQUIRE(whole.sizes() == at::IntArrayRef({3, height, width}));
    for (std::int64_t top = 0; top + 5 <= height; top++) {
      for (std::int64_t left = 0; left + 7 <= width; left++) {
        REQUIRE(at::equal(shrunken_crop(pixels, scale, {top, left, 5, 7}),
                          whole.narrow(1, top, 5).narrow(2, left, 7)));
      }
    }
    CHECK(at::equal(shrunken_crop(pixels, scale, {0, 0, height, width}), whole));
    CHECK_THROWS_AS(shrunken_crop(pixels, scale, {0, width - 6, 5, 7}), Error);
  }
}

TEST_CASE("batches don't depend on the number of threads, nor on where a run began") {
  const Data data;
  auto config = data.config();
  for (const auto* degradation : {"bicubic", "realesrgan", "bsrgan"}) {
    config.degradation = degradation;
    config.workers = 1;
    config.crop = 32;
    const auto expected = batches(config, 0, 4);
    CHECK(expected[0].hr.sizes() == at::IntArrayRef({6, 3, 32, 32}));
    CHECK(expected[0].lr.sizes() == at::IntArrayRef({6, 3, 8, 8}));
    CHECK_FALSE(equal(expected[0], expected[1]));
    config.workers = 5;
    CHECK(equal(batches(config, 0, 4), expected));
    for (int first = 1; first < 4; first++) CHECK(equal(batches(config, first, 1)[0], expected[first]));
    config.seed++;
    CHECK_FALSE(equal(batches(config, 0, 1)[0], expected[0]));
    config.seed--;
  }
}

TEST_CASE("the ranks' batches put together are the batch of one rank") {
  const Data data;
  auto config = data.config();
  config.sources.push_back({{data.folder() / "odd"}, {}, 2});
  const auto whole = batches(config, 0, 3);
  for (const int ranks : {2, 3, 6}) {
    std::vector<std::vector<TrainingBatch>> shares;
    for (int rank = 0; rank < ranks; rank++) shares.push_back(batches(config, 0, 3, rank, ranks));
    for (size_t i = 0; i < 3; i++) {
      std::vector<Tensor> lr, hr;
      for (const auto& share : shares) {
        lr.push_back(share[i].lr);
        hr.push_back(share[i].hr);
      }
      CHECK(equal({at::cat(lr), at::cat(hr)}, whole[i]));
    }
  }
}

TEST_CASE("a bicubic batch holds the pictures' LR pictures") {
  const Data data(1);
  auto config = data.config();
  write_picture(data.folder() / "even" / "0.png", levels("square", 34, 35));
  config.crop = 32;
  config.flip = config.rotate = false;
  const auto batch = batches(config, 0, 1)[0];
  const auto image = levels("square", 34, 35).permute({2, 0, 1}).to(at::kFloat) / 255;
  const auto hr = image.narrow(1, 0, 32).narrow(2, 0, 32).contiguous();
  CHECK(at::equal(batch.hr[0], hr));
  CHECK(at::equal(batch.lr[5], rounded_to_8_bits(imresize(hr, 0.25))));
}

TEST_CASE("both halves of a pair are cut and turned alike") {
  const Data data(3);
  auto config = data.config();
  config.scale = 2;
  for (int i = 0; i < 3; i++) {
    const auto lr = levels(fmt::format("pair {}", i), 20 + i, 24 - i);
    write_picture(data.path() / "pairs/hr/a" / fmt::format("{}.png", i),
                  lr.repeat_interleave(2, 0).repeat_interleave(2, 1));
    write_picture(data.path() / "pairs/lr/a" / fmt::format("{}x2.png", i), lr);
  }
  config.sources = {{{data.path() / "pairs/hr"}, {data.path() / "pairs/lr"}, 1}};
  std::set<float> corners;
  for (const auto& [lr, hr, items, captions, repeats] : batches(config, 0, 8)) {
    CHECK(at::equal(lr.repeat_interleave(2, 2).repeat_interleave(2, 3), hr));
    for (std::int64_t i = 0; i < lr.size(0); i++) corners.insert(lr[i][0][0][0].item<float>());
  }
  CHECK(corners.size() > 20);  // crops lie in many places
}

TEST_CASE("what is degraded on the fly is cut and turned with its HR crop") {
  const Data data;
  auto config = data.config();
  config.scale = 1;
  config.degradation = data.identity();
  for (const int margin : {-1, 0, 9, 1000}) {
    config.margin = margin;
    for (const auto& [lr, hr, items, captions, repeats] : batches(config, 0, 3)) CHECK(at::equal(lr, hr));
  }
}

TEST_CASE("HR crops are sharpened where the preset has it so") {
  const Data data;
  auto config = data.config();
  config.crop = 48;
  config.margin = 0;
  config.degradation = "realesrgan";
  const auto plain = batches(config, 0, 1)[0];
  config.degradation = "seesr";
  const auto sharp = batches(config, 0, 1)[0];
  CHECK(at::equal((plain.hr * 255).round() / 255, plain.hr));
  CHECK_FALSE(at::equal(sharp.hr, plain.hr));
  CHECK((sharp.hr - plain.hr).abs().mean().item<float>() < 0.25);
}

TEST_CASE("whole pictures of any size become squares, degraded or of a pair") {
  const Data data;
  auto config = data.config();
  config.whole = true;
  config.crop = 64;  // more than the pictures have
  config.degradation = "seesr";
  config.flip = config.rotate = false;
  const auto made = batches(config, 0, 1).front();
  CHECK((made.lr.sizes() == at::IntArrayRef{6, 3, 64, 64}));
  CHECK((made.hr.sizes() == at::IntArrayRef{6, 3, 64, 64}));
  for (const auto& images : {made.lr, made.hr}) CHECK(at::equal(images, rounded_to_8_bits(images)));
  CHECK((made.lr - made.hr).abs().mean().item<double>() > 0.01);

  write_picture(data.path() / "a.png", levels("a", 64, 64));
  write_picture(data.path() / "b.png", levels("b", 20, 33));
  config.sources = {{{data.path() / "a.png"}, {data.path() / "b.png"}, 1}};
  const auto pair = batches(config, 0, 1).front();
  CHECK(at::equal(pair.hr[0], levels("a", 64, 64).permute({2, 0, 1}).to(at::kFloat) / 255));
  CHECK(at::equal(pair.lr[0], interpolate_to(levels("b", 20, 33).permute({2, 0, 1}).unsqueeze(0) / 255.0F, 64,
                                             64, Interpolation::bilinear)[0]));
}

TEST_CASE("LR pictures are enlarged to their HR pictures' size, unless they have it") {
  const Data data;
  auto config = data.config();
  config.enlarged = true;
  config.flip = config.rotate = false;
  config.batch = 1;
  const auto picture = [](const char* name, std::int64_t side) {
    return levels(name, side, side).permute({2, 0, 1}).to(at::kFloat) / 255;
  };
  write_picture(data.path() / "hr.png", levels("hr", 16, 16));
  write_picture(data.path() / "small.png", levels("small", 4, 4));
  write_picture(data.path() / "large.png", levels("large", 16, 16));
  const auto lr_of = [&](const char* name) {
    config.sources = {{{data.path() / "hr.png"}, {data.path() / name}, 1}};
    const auto batch = batches(config, 0, 1).front();
    CHECK(at::equal(batch.hr[0], picture("hr", 16)));
    return batch.lr[0];
  };
  const Tensor enlarged = interpolate_to(picture("small", 4).unsqueeze(0), 16, 16, Interpolation::bicubic)[0];
  CHECK(at::equal(lr_of("small.png"), rounded_to_8_bits(enlarged)));
  CHECK(at::equal(lr_of("large.png"), picture("large", 16)));
  config.enlarged = false;
  CHECK(contains(refusal(config), "are not 4 times"));
}

TEST_CASE("captions come with their pictures, and each sample with its name") {
  const Data data;
  auto config = data.config();
  config.sources = {{{data.folder() / "even", data.folder() / "odd"},
                     {},
                     1,
                     {data.path() / "captions", data.path() / "captions"}}};
  CHECK(contains(refusal(config), "there is no caption"));
  fs::create_directories(data.path() / "captions");
  std::map<std::string, Tensor> pictures;
  for (int i = 0; i < 5; i++) {
    std::ofstream(fmt::format("{}/captions/{}.txt", data.path().string(), i)) << "caption " << i << ",\n";
    pictures[fmt::format("caption {},", i)] =
        levels(fmt::format("{}/{}.png", i % 2 == 0 ? "even" : "odd", i), 50 + 3 * i, 71 - 2 * i);
  }
  config.flip = config.rotate = false;
  for (const auto& batch : batches(config, 4, 2)) {
    REQUIRE(batch.captions.size() == 6);
    for (size_t i = 0; i < 6; i++) {
      const auto hr = (batch.hr[static_cast<std::int64_t>(i)] * 255).round().to(at::kByte).permute({1, 2, 0});
      const auto windows = pictures.at(batch.captions[i]).unfold(0, 16, 1).unfold(1, 16, 1);
      const auto wanted = hr.permute({2, 0, 1}).unsqueeze(0).unsqueeze(0);
      CHECK(windows.eq(wanted).flatten(2).all(2).any().item<bool>());
    }
  }
  CHECK(batches(config, 4, 1).front().items.at(5) == "iteration 4 sample 5");
}

TEST_CASE("pictures are the same from a cache, from memory, and decoded each time") {
  const Data data;
  auto config = data.config();
  const auto expected = batches(config, 0, 3);
  config.memory = 12000;  // room for one
  CHECK(equal(batches(config, 0, 3), expected));
  config.cache = data.path() / "cache";
  size_t packed = 0;
  config.packed = [&](size_t done, size_t all) {
    CHECK(done <= all);
    packed++;  // one thread a time: two would be a race, which the sanitizer tells
  };
  config.workers = 1;
  CHECK(equal(batches(config, 0, 3), expected));
  CHECK(packed == 5);
  const auto made = identity_of(config.cache);
  CHECK(equal(batches(config, 0, 3), expected));
  CHECK(packed == 5);
  CHECK(identity_of(config.cache) == made);
}

TEST_CASE("a cache that is stale or broken is made anew") {
  const Data data;
  auto config = data.config();
  config.cache = data.path() / "cache";
  const auto before = batches(config, 0, 2);
  const auto first = data.folder() / "even" / "0.png";
  SUBCASE("a picture changed") {
    write_picture(first, levels("changed", 50, 71));
    fs::last_write_time(first, fs::last_write_time(first) + 5);
  }
  SUBCASE("a picture was added") { write_picture(data.folder() / "new.png", levels("new", 40, 40)); }
  SUBCASE("a picture went away") { fs::remove(first); }
  const auto after = batches(config, 0, 2);
  CHECK_FALSE(equal(after, before));
  config.cache.clear();
  CHECK(equal(batches(config, 0, 2), after));
}

TEST_CASE("a cache that is cut short is made anew") {
  const Data data;
  auto config = data.config();
  config.cache = data.path() / "cache";
  const auto before = batches(config, 0, 2);
  const auto size = fs::file_size(config.cache);
  for (const auto length : {size - 1, size / 2, std::uintmax_t{40}, std::uintmax_t{0}}) {
    fs::resize_file(config.cache, length);
    CHECK(equal(batches(config, 0, 2), before));
    CHECK(fs::file_size(config.cache) == size);
  }
}

TEST_CASE("what is no cache is left alone") {
  const Data data;
  auto config = data.config();
  config.cache = data.folder() / "odd" / "1.png";
  const auto made = identity_of(config.cache);
  CHECK(contains(refusal(config), "1.png: not a cache of training pictures"));
  CHECK(identity_of(config.cache) == made);
  config.cache = data.path();
  CHECK(contains(refusal(config), "Is a directory"));
}

TEST_CASE("a broken picture is named, and the run could go on") {
  const Data data(1);
  auto config = data.config();
  write_picture(data.folder() / "broken.png", levels("broken", 64, 64));
  cut_short(data.folder() / "broken.png");
  config.batch = 1;
  BatchSource source(config, 0);
  int failures = 0;
  for (int i = 0; i < 4; i++) {  // two epochs of two pictures
    try {
      const auto batch = source.next();
      CHECK(batch.hr.size(0) == 1);
    } catch (const Error& error) {
      CHECK(contains(error.what(), "broken.png: "));
      failures++;
    }
  }
  CHECK(failures == 2);
  config.cache = data.path() / "cache";
  CHECK(contains(refusal(config), "broken.png: "));
  CHECK_FALSE(fs::exists(config.cache));
}

TEST_CASE("what can't be trained on is refused at the start") {
  const Data data;
  const auto config = data.config();
  const auto refused = [&](const std::function<void(DataConfig&)>& change) {
    auto changed = config;
    change(changed);
    return refusal(changed);
  };
  CHECK(contains(refused([](auto& c) { c.sources.clear(); }), "nothing to train on"));
  CHECK(contains(refused([&](auto& c) { c.sources[0].hr = {data.path() / "none"}; }), "none: No such file"));
  fs::create_directories(data.path() / "empty");
  CHECK(contains(refused([&](auto& c) { c.sources[0].hr = {data.path() / "empty"}; }), "empty: no pictures"));
  CHECK(contains(refused([](auto& c) { c.crop = 18; }), "18 is no multiple of the scale 4"));
  CHECK(contains(refused([](auto& c) { c.crop = 60; }),
                 "0.png: 71x50 pixels are too few for a crop of 60x60 (and 3 more like it)"));
  CHECK(contains(refused([](auto& c) { c.degradation = "fog"; }), "fog: neither"));
  CHECK(contains(refused([](auto& c) { c.sources[0].weight = -1; }), "weight must be above 0"));
  CHECK(contains(refusal(config, 0, 4), "a batch of 6 can't be shared out among 4 ranks"));
  CHECK(contains(refusal(config, 2, 2), "no rank 2 of 2"));
}

TEST_CASE("pairs that don't fit are refused at the start") {
  const Data data;
  auto config = data.config();
  const auto lr = data.path() / "lr";
  config.sources[0].lr = {lr};
  write_picture(lr / "even" / "0.png", levels("lr", 12, 17));
  CHECK(contains(refusal(config), "even/2.png: " + lr.string() + " has no LR picture for it"));
  config.sources[0].hr = {data.folder() / "even" / "0.png"};
  config.sources[0].lr = {lr / "even" / "0.png"};
  CHECK(contains(refusal(config), "its 71x50 pixels are not 4 times the 17x12 of "));
  config.sources[0].lr = {lr};
  CHECK(contains(refusal(config), "a pair is two files or two folders"));
  config.sources[0].lr = {lr, lr};
  CHECK(contains(refusal(config), "1 HR folders with 2 LR folders"));
}
