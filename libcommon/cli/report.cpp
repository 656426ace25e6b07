#include "cli/report.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>
#include <vips/vips8>

#include "cli/share.h"
#include "core/error.h"
#include "core/records.h"
#include "core/signals.h"
#include "image/samples.h"
#include "image/vips.h"

namespace sr {
namespace {

using Json = nlohmann::ordered_json;
using vips::VImage;

constexpr std::string_view kPlaceOfData = "<!-- report:data -->\n";
constexpr std::int64_t kMostLossless = 1 << 21;  // pixels
constexpr std::int64_t kMostShown = 1 << 24;
constexpr std::int64_t kLongest = 1 << 14;  // a side: browsers' canvases end there
constexpr int kThumbnail = 96;  // pixels a side, at most: twice what the table shows, for dense screens

/// JSON that stays within its script element, whatever is in it: only strings hold a '<'.
std::string script(const std::string& attributes, const Json& json) {
  const auto text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string escaped;
  for (const char c : text) c == '<' ? escaped += "\\u003c" : escaped += c;
  return fmt::format("<script type=\"application/json\" {}>{}</script>\n", attributes, escaped);
}

Json json_of(const ReportScores& scores, const ReportHead& head) {
  if (scores.size() != head.columns.size()) {
    throw Error(
        fmt::format("{} scores do not fit {} columns of a report", scores.size(), head.columns.size()));
  }
  auto values = Json::array();
  for (const auto& score : scores) {
    // JSON has no numbers for what is not finite
    values.push_back(!score ? Json() : std::isfinite(*score) ? Json(*score) : Json(number_text(*score)));
  }
  return values;
}

Json json_of(const ReportHead& head) {
  auto columns = Json::array(), facts = Json::array();
  for (const auto& [name, higher_is_better, digits] : head.columns) {
    columns.push_back({{"name", name}, {"higher_is_better", higher_is_better}, {"digits", digits}});
  }
  for (const auto& [name, text] : head.facts) facts.push_back({printable(name), printable(text)});
  return {{"title", printable(head.title)},
          {"side_a", printable(head.side_a)},
          {"side_b", printable(head.side_b)},
          {"columns", columns},
          {"facts", facts}};
}

Json json_of(const std::vector<std::pair<std::string, ReportScores>>& summary, const ReportHead& head) {
  auto lines = Json::array();
  for (const auto& [name, scores] : summary) {
    lines.push_back({{"name", name}, {"scores", json_of(scores, head)}});
  }
  return lines;
}

/// A view of uint8 [H,W,planes], which must outlive it.
VImage image_of(const Tensor& bytes) {
  const auto side = [&](int dimension) { return static_cast<int>(bytes.size(dimension)); };
  return VImage::new_from_memory(bytes.data_ptr(), static_cast<size_t>(bytes.numel()), side(1), side(0),
                                 side(2), VIPS_FORMAT_UCHAR);
}

/// "data:image/png;base64,..."
std::string data_uri(const VImage& image, const char* suffix, const char* type) {
  void* bytes = nullptr;
  size_t length = 0;
  image.write_to_buffer(suffix, &bytes, &length);
  const std::unique_ptr<void, void (*)(void*)> encoded(bytes, g_free);
  const std::unique_ptr<char, void (*)(void*)> text(
      g_base64_encode(static_cast<const guchar*>(bytes), length), g_free);
  return fmt::format("data:{};base64,{}", type, text.get());
}

std::string thumbnail_of(const VImage& image) {
  const auto small = image.thumbnail_image(
      kThumbnail, VImage::option()->set("height", kThumbnail)->set("size", VIPS_SIZE_DOWN));
  return data_uri(small, ".jpg[Q=80,strip]", "image/jpeg");
}

/// How pictures of a size go into the page.
struct Storage {
  bool lossless;
  int64_t shrunk;  ///< by this factor both ways

  explicit Storage(const Tensor& picture) {
    const int64_t height = picture.size(1), width = picture.size(2);
    const double pixels = double(height) * double(width);
    const double by_side = double(std::max(height, width)) / double(kLongest);
    lossless = pixels <= double(kMostLossless);
    shrunk = static_cast<int64_t>(std::ceil(std::max(std::sqrt(pixels / double(kMostShown)), by_side)));
  }

  /// float [planes,H,W] -> uint8 [H,W,planes]; shrunk, pixels are the means of those that they stand for.
  Tensor shown(const Tensor& picture) const {
    auto planes = picture.to(at::kCPU, at::kFloat);
    if (shrunk > 1) planes = at::avg_pool2d(planes, shrunk, shrunk, 0, /*ceil_mode=*/true, false);
    const auto bytes = at::empty({planes.size(1), planes.size(2), planes.size(0)}, at::kByte);
    quantise(planes, bytes.permute({2, 0, 1}));
    return bytes;
  }

  std::string script(const VImage& image) const {
    const auto uri = lossless ? data_uri(image, ".png[compression=3,filter=all,strip]", "image/png")
                              : data_uri(image, ".jpg[Q=95,subsample_mode=off,strip]", "image/jpeg");
    return fmt::format("<script type=\"text/plain\">{}</script>\n", uri);
  }
};

void check_picture(const Tensor& picture, const Tensor& other) {
  const bool planar = picture.dim() == 3 && (picture.size(0) == 1 || picture.size(0) == 3);
  if (!planar || picture.numel() == 0) throw Error("a report shows pictures of 1 or 3 planes");
  if (picture.size(1) != other.size(1) || picture.size(2) != other.size(2)) {
    throw Error("a report shows pairs of one size");
  }
}

/// A row as the page holds it: its scores, then its picture or its two.
std::string row_of(size_t place, const std::string& name, const Json& scores, const Tensor& a,
                   const Tensor& b) {
  check_picture(a, a);
  if (b.defined()) check_picture(b, a);
  const Storage storage(a);
  const auto bytes = storage.shown(a);
  const auto image = image_of(bytes);
  const Json row{{"place", place},           {"name", name},
                 {"scores", scores},         {"width", a.size(2)},
                 {"height", a.size(1)},      {"lossless", storage.lossless},
                 {"shrunk", storage.shrunk}, {"thumbnail", thumbnail_of(image)}};
  auto text = script("class=\"row\"", row) + storage.script(image);
  if (b.defined()) {
    const auto bytes_b = storage.shown(b);
    text += storage.script(image_of(bytes_b));
  }
  return text;
}

fs::path checked(const fs::path& file) {
  if (file.empty() || is_stream(file)) throw UsageError("--report: a page needs a file with a name");
  // on standard error now rather than after the measuring
  const bool device = path_exists(file) && !fs::is_regular_file(file);
  if (device && ::access(file.c_str(), W_OK) != 0) {
    throw UsageError(fmt::format("{}: {}", printable(file.string()), std::strerror(errno)));
  }
  return file;
}

/// A file without a name, beside the page: there is room where the page finds room (/tmp may be memory).
std::FILE* nameless_file(const AtomicFile& page) {
  if (page.path() == page.target()) return std::tmpfile();  // a device, a pipe
  const auto name = page.path().string() + ".rows";
  const TemporaryPath temporary(name);
  const int fd = ::open(name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) return nullptr;
  ::unlink(name.c_str());
  return ::fdopen(fd, "w+b");
}

[[noreturn]] void fail(const AtomicFile& page) {
  throw Error(
      fmt::format("{}: {}", printable(page.target().string()), std::strerror(errno != 0 ? errno : EIO)));
}

}  // namespace

Report::Report(const fs::path& file, ReportHead head)
    : head_(std::move(head)),
      template_(needed_to_start([] { return read_file(share_folder() / "report/report.html"); })),
      page_(needed_to_start([&] { return AtomicFile(checked(file)); })),
      rows_(nameless_file(page_), std::fclose) {
  if (!rows_) needed_to_start([&] { fail(page_); });
  if (template_.find(kPlaceOfData) == std::string::npos) {
    throw UsageError("report/report.html in the share folder has no place for data");
  }
}

void Report::write(const File& file, std::string_view text) const {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), file.get()) != text.size()) fail(page_);
}

void Report::add(size_t index, const std::string& name, const ReportScores& scores, const Tensor& a,
                 const Tensor& b) {
  const auto shown_name = printable(name);
  const auto row =
      naming_errors(shown_name, [&] { return row_of(index, shown_name, json_of(scores, head_), a, b); });
  const std::lock_guard lock(mutex_);
  const Part part{std::ftell(rows_.get()), static_cast<long>(row.size())};
  write(rows_, row);
  parts_[index] = part;
}

void Report::copy(const Part& part, const File& page) const {
  std::vector<char> block(1 << 20);
  errno = 0;
  if (std::fseek(rows_.get(), part.offset, SEEK_SET) != 0) fail(page_);
  for (auto left = static_cast<size_t>(part.length); left > 0;) {
    check_interrupted();
    const auto got = std::fread(block.data(), 1, std::min(left, block.size()), rows_.get());
    if (got == 0) fail(page_);
    write(page, {block.data(), got});
    left -= got;
  }
}

void Report::finish(const std::vector<std::pair<std::string, ReportScores>>& summary) {
  const std::lock_guard lock(mutex_);
  errno = 0;
  File page(std::fopen(page_.path().c_str(), "wb"), std::fclose);
  if (!page) fail(page_);
  const auto place = template_.find(kPlaceOfData);
  write(page, std::string_view(template_).substr(0, place));
  write(page, script("id=\"head\"", json_of(head_)));
  for (const auto& [index, part] : parts_) copy(part, page);
  write(page, script("id=\"summary\"", json_of(summary, head_)));
  write(page, std::string_view(template_).substr(place + kPlaceOfData.size()));
  if (std::fclose(page.release()) != 0) fail(page_);
  page_.commit();
}

}  // namespace sr
