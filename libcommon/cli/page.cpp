#include "cli/page.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>
#include <vips/vips8>

#include "cli/outputs.h"
#include "cli/share.h"
#include "core/error.h"
#include "core/signals.h"
#include "image/samples.h"

namespace sr {
namespace {

using vips::VImage;

constexpr std::string_view kPlaceOfData = "<!-- report:data -->\n";
constexpr std::int64_t kMostLossless = 1 << 21;  // pixels
constexpr std::int64_t kMostShown = 1 << 24;
constexpr std::int64_t kLongest = 1 << 14;  // a side: browsers' canvases end there
constexpr int kThumbnail = 96;  // pixels a side, at most: twice what the table shows, for dense screens

/// The template with what pages share put in: "/* report:NAME */" stands for the file NAME beside it.
std::string template_of(const std::string& name) {
  const auto folder = share_folder() / "report";
  auto text = read_file(folder / name);
  for (const std::string part : {"style.css", "view.js"}) {
    const auto place = "/* report:" + part + " */\n";
    const auto at = text.find(place);
    if (at != std::string::npos) text.replace(at, place.size(), read_file(folder / part));
  }
  if (text.find(kPlaceOfData) == std::string::npos)
    throw UsageError(fmt::format("report/{} in the share folder has no place for data", name));
  return text;
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

fs::path checked(const fs::path& file) {
  if (file.empty() || is_stream(file)) throw UsageError("a page needs a file with a name");
  check_no_picture(file, "a page", "FILE.html");
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

std::string json_script(const std::string& attributes, const nlohmann::ordered_json& json) {
  const auto text = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  std::string escaped;
  for (const char c : text) c == '<' ? escaped += "\\u003c" : escaped += c;  // only strings hold one
  return fmt::format("<script type=\"application/json\" {}>{}</script>\n", attributes, escaped);
}

StoredPicture::StoredPicture(const Tensor& picture) {
  const bool planar = picture.dim() == 3 && (picture.size(0) == 1 || picture.size(0) == 3);
  if (!planar || picture.numel() == 0) throw Error("a page shows pictures of 1 or 3 planes");
  const int64_t height = picture.size(1), width = picture.size(2);
  const double pixels = double(height) * double(width);
  const double by_side = double(std::max(height, width)) / double(kLongest);
  lossless_ = pixels <= double(kMostLossless);
  shrunk_ = static_cast<int64_t>(std::ceil(std::max(std::sqrt(pixels / double(kMostShown)), by_side)));
  auto planes = picture.to(at::kCPU, at::kFloat);
  // pixels are the means of those that they stand for
  if (shrunk_ > 1) planes = at::avg_pool2d(planes, shrunk_, shrunk_, 0, /*ceil_mode=*/true, false);
  bytes_ = at::empty({planes.size(1), planes.size(2), planes.size(0)}, at::kByte);
  quantise(planes, bytes_.permute({2, 0, 1}));
}

std::string StoredPicture::script() const {
  const auto image = image_of(bytes_);
  const auto uri = lossless_ ? data_uri(image, ".png[compression=3,filter=all,strip]", "image/png")
                             : data_uri(image, ".jpg[Q=95,subsample_mode=off,strip]", "image/jpeg");
  return fmt::format("<script type=\"text/plain\">{}</script>\n", uri);
}

std::string StoredPicture::thumbnail() const {
  const auto small = image_of(bytes_).thumbnail_image(
      kThumbnail, VImage::option()->set("height", kThumbnail)->set("size", VIPS_SIZE_DOWN));
  return data_uri(small, ".jpg[Q=80,strip]", "image/jpeg");
}

Page::Page(const fs::path& file, const std::string& name)
    : template_(needed_to_start([&] { return template_of(name); })),
      page_(needed_to_start([&] { return AtomicFile(checked(file)); })),
      rows_(nameless_file(page_), std::fclose) {
  if (!rows_) needed_to_start([&] { fail(page_); });
}

void Page::write(const File& file, std::string_view text) const {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), file.get()) != text.size()) fail(page_);
}

void Page::add(size_t index, std::string_view row) {
  const std::lock_guard lock(mutex_);
  const Part part{std::ftell(rows_.get()), static_cast<long>(row.size())};
  write(rows_, row);
  parts_[index] = part;
}

void Page::copy(const Part& part, const File& page) const {
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

void Page::finish(std::string_view before, std::string_view after) {
  const std::lock_guard lock(mutex_);
  errno = 0;
  File page(std::fopen(page_.path().c_str(), "wb"), std::fclose);
  if (!page) fail(page_);
  const auto place = template_.find(kPlaceOfData);
  write(page, std::string_view(template_).substr(0, place));
  write(page, before);
  for (const auto& [index, part] : parts_) copy(part, page);
  write(page, after);
  write(page, std::string_view(template_).substr(place + kPlaceOfData.size()));
  if (std::fclose(page.release()) != 0) fail(page_);
  page_.commit();
}

}  // namespace sr
