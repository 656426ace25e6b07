#include <cmath>
#include <doctest.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>
#include <vips/vips.h>
#include <vips/vips8>

#include "cli/report.h"
#include "core/error.h"
#include "image/samples.h"

namespace {

using sr::Report;
using sr::ReportHead;
using sr::Tensor;

struct Folder {
  sr::fs::path path = sr::fs::temp_directory_path() / sr::fs::unique_path("sr-test-%%%%%%%%");
  Folder() {
    REQUIRE(VIPS_INIT("unit") == 0);
    sr::fs::create_directory(path);
  }
  ~Folder() { sr::fs::remove_all(path); }
  long files() const { return std::distance(sr::fs::directory_iterator(path), sr::fs::directory_iterator()); }
};

ReportHead head_of(const std::string& side_b = "b") {
  return {
      "a against b", "a", side_b, {{"psnr", true, 2}, {"lpips", false, 4}}, {{"protocol", "</script>rgb"}}};
}

/// A picture that differs from pixel to pixel, of values that 8 bits hold.
Tensor picture(int64_t planes, int64_t height, int64_t width, int64_t seed) {
  const auto numbers = at::arange(planes * height * width, at::kLong) * 37 + seed;
  return (numbers % 256).reshape({planes, height, width}).to(at::kFloat) / 255;
}

/// What stands between each `begin` and the end of its script.
std::vector<std::string> scripts(const std::string& page, const std::string& begin) {
  std::vector<std::string> found;
  for (size_t at = page.find(begin); at != page.npos; at = page.find(begin, at + 1)) {
    const size_t from = at + begin.size();
    found.push_back(page.substr(from, page.find("</script>", from) - from));
  }
  return found;
}

std::vector<nlohmann::json> rows_of(const std::string& page) {
  std::vector<nlohmann::json> rows;
  for (const auto& text : scripts(page, "<script type=\"application/json\" class=\"row\">")) {
    rows.push_back(nlohmann::json::parse(text));
  }
  return rows;
}

std::vector<std::string> pictures_of(const std::string& page) {
  return scripts(page, "<script type=\"text/plain\">");
}

/// The samples of a picture in a data URI, as float [planes,H,W] in [0,1].
Tensor decoded(const std::string& uri) {
  gsize length = 0;
  auto* bytes = g_base64_decode(uri.c_str() + uri.find(',') + 1, &length);
  const std::string file(reinterpret_cast<const char*>(bytes), length);
  g_free(bytes);
  const auto image = vips::VImage::new_from_buffer(file.data(), file.size(), "");
  size_t size = 0;
  void* samples = image.write_to_memory(&size);
  auto planes = sr::planes_from_samples(samples, sr::Depth::u8, image.bands(), image.height(), image.width());
  g_free(samples);
  return planes;
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("a report holds its rows and pictures, exactly") {
  const Folder folder;
  const auto file = folder.path / "out.html";
  const auto a = picture(3, 5, 7, 1), b = picture(3, 5, 7, 90), grey = picture(1, 4, 6, 3);
  Report report(file, head_of());
  report.add(0, "x.png", {31.25, 0.1}, a, b);
  report.add(1, "grey.png", {kInfinity, std::nullopt}, grey, grey);
  report.add(2, "nan.png", {-kInfinity, std::nan("")}, grey, a.narrow(1, 0, 4).narrow(2, 1, 6));
  CHECK_FALSE(sr::fs::exists(file));
  report.finish({{"mean", {1.5, std::nullopt}}});
  const auto page = sr::read_file(file);
  const auto rows = rows_of(page);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0]["name"] == "x.png");
  CHECK(rows[0]["scores"] == nlohmann::json{31.25, 0.1});
  CHECK(rows[0]["width"] == 7);
  CHECK(rows[0]["height"] == 5);
  CHECK(rows[0]["lossless"] == true);
  CHECK(rows[1]["scores"] == nlohmann::json{"inf", nullptr});
  CHECK(rows[2]["scores"] == nlohmann::json{"-inf", "nan"});
  const auto pictures = pictures_of(page);
  REQUIRE(pictures.size() == 6);
  CHECK(at::equal(decoded(pictures[0]), a));
  CHECK(at::equal(decoded(pictures[1]), b));
  CHECK(at::equal(decoded(pictures[2]), grey));
  CHECK(at::equal(decoded(pictures[5]), a.narrow(1, 0, 4).narrow(2, 1, 6)));
  const auto head = nlohmann::json::parse(scripts(page, "id=\"head\">").at(0));
  CHECK(head["columns"][1] == nlohmann::json{{"name", "lpips"}, {"higher_is_better", false}, {"digits", 4}});
  CHECK(head["facts"][0] == nlohmann::json{"protocol", "</script>rgb"});
  const auto summary = nlohmann::json::parse(scripts(page, "id=\"summary\">").at(0));
  CHECK(summary[0] == nlohmann::json{{"name", "mean"}, {"scores", {1.5, nullptr}}});
  CHECK(folder.files() == 1);
}

TEST_CASE("rows of a report come out as found, the same bytes in whichever order they come") {
  const Folder folder;
  const auto made = [&](const std::vector<size_t>& order, bool at_once) {
    Report report(folder.path / "out.html", head_of());
    std::vector<std::thread> threads;
    for (const size_t i : order) {
      const auto add = [&report, i] {
        const auto a = picture(3, 30, 40, static_cast<int64_t>(i));
        report.add(i, std::to_string(i), {double(i), 0.5}, a, a);
      };
      at_once ? static_cast<void>(threads.emplace_back(add)) : add();
    }
    for (auto& thread : threads) thread.join();
    report.finish({});
    return sr::read_file(folder.path / "out.html");
  };
  const auto page = made({0, 1, 2, 5}, false);
  const auto rows = rows_of(page);
  REQUIRE(rows.size() == 4);
  for (const size_t i : {0, 1, 2}) CHECK(rows[i]["place"] == i);
  CHECK(rows[3]["place"] == 5);
  CHECK(made({5, 1, 0, 2}, false) == page);
  CHECK(made({2, 5, 1, 0}, true) == page);
}

TEST_CASE("names in a report stay within their scripts") {
  const Folder folder;
  const auto a = picture(1, 2, 2, 0);
  Report report(folder.path / "out.html", head_of());
  report.add(0, "</script><!--<script>\n\"\xff.png", {1, 2}, a, a);
  report.finish({});
  const auto rows = rows_of(sr::read_file(folder.path / "out.html"));
  REQUIRE(rows.size() == 1);
  CHECK(rows[0]["name"] == "</script><!--<script>\\n\"\xEF\xBF\xBD.png");
}

TEST_CASE("a report without references holds one picture a row") {
  const Folder folder;
  Report report(folder.path / "out.html", head_of(""));
  report.add(0, "x.png", {1, 2}, picture(3, 4, 4, 0), {});
  report.finish({});
  CHECK(pictures_of(sr::read_file(folder.path / "out.html")).size() == 1);
}

TEST_CASE("large pictures of a report are JPEG, and larger ones shrunk") {
  const Folder folder;
  const auto stored = [&](int64_t height, int64_t width) {
    Report report(folder.path / "out.html", head_of(""));
    report.add(0, "x.png", {1, 2}, at::full({1, height, width}, 0.6F), {});
    report.finish({});
    const auto page = sr::read_file(folder.path / "out.html");
    return std::pair(rows_of(page)[0], decoded(pictures_of(page)[0]));
  };
  CHECK(stored(1024, 2048).first["lossless"] == true);
  const auto [jpeg, whole] = stored(1025, 2048);
  CHECK(jpeg["lossless"] == false);
  CHECK(jpeg["shrunk"] == 1);
  CHECK(whole.sizes() == at::IntArrayRef{1, 1025, 2048});
  const auto [wide, strip] = stored(5, 40000);
  CHECK(wide["lossless"] == true);
  CHECK(wide["shrunk"] == 3);
  CHECK(wide["width"] == 40000);
  CHECK(strip.sizes() == at::IntArrayRef{1, 2, 13334});
  CHECK(at::equal(strip, at::full_like(strip, 0.6F)));
  const auto [large, shrunk] = stored(4100, 4100);
  CHECK(large["shrunk"] == 2);
  CHECK(shrunk.sizes() == at::IntArrayRef{1, 2050, 2050});
}

TEST_CASE("a report that cannot be is refused before any work") {
  const Folder folder;
  CHECK_THROWS_AS(Report("-", head_of()), sr::UsageError);
  CHECK_THROWS_AS(Report("", head_of()), sr::UsageError);
  CHECK_THROWS_WITH_AS(Report(folder.path, head_of()), (folder.path.string() + ": Is a directory").c_str(),
                       sr::UsageError);
  CHECK_THROWS_AS(Report(folder.path / "no/such.html", head_of()), sr::UsageError);
  CHECK(folder.files() == 0);
}

TEST_CASE("a report that is not finished leaves what was there") {
  const Folder folder;
  const auto a = picture(3, 4, 4, 0);
  {
    Report report(folder.path / "out.html", head_of());
    report.add(0, "x.png", {1, 2}, a, a);
  }
  CHECK(folder.files() == 0);
}

TEST_CASE("a report refuses what does not fit") {
  const Folder folder;
  const auto a = picture(3, 4, 4, 0);
  Report report(folder.path / "out.html", head_of());
  CHECK_THROWS_WITH_AS(report.add(0, "x.png", {1}, a, a), "x.png: 1 scores do not fit 2 columns of a report",
                       sr::Error);
  CHECK_THROWS_AS(report.add(0, "x.png", {1, 2}, a, picture(3, 4, 5, 0)), sr::Error);
  CHECK_THROWS_AS(report.add(0, "x.png", {1, 2}, picture(2, 4, 4, 0), {}), sr::Error);
  CHECK_THROWS_AS(report.finish({{"mean", {1}}}), sr::Error);
}
