#include "image/encode.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <vips/vips.h>

#include "core/atomic_file.h"
#include "core/stdout.h"
#include "image/samples.h"
#include "image/strip_image.h"
#include "image/vips.h"

namespace sr {
namespace {

constexpr int kUnlimited = 10'000'000;  // libvips' own limit

struct FormatRow {
  std::string_view extension;
  std::string_view defaults;  ///< what applies where the user gives nothing: nearly lossless, and quick
  Depth shallowest, deepest;
  bool alpha;
  int max_side;
};

constexpr std::array<FormatRow, 14> kFormats{{
    {".png", "compression=3", Depth::u8, Depth::u16, true, kUnlimited},
    {".jpg", "Q=95", Depth::u8, Depth::u8, false, 65500},
    {".jpeg", "Q=95", Depth::u8, Depth::u8, false, 65500},
    {".webp", "Q=95", Depth::u8, Depth::u8, true, 16383},
    {".tif", "", Depth::u8, Depth::f32, true, kUnlimited},
    {".tiff", "", Depth::u8, Depth::f32, true, kUnlimited},
    {".avif", "Q=90", Depth::u8, Depth::u16, true, 16384},
    {".heic", "Q=90", Depth::u8, Depth::u16, true, 16384},
    {".heif", "Q=90", Depth::u8, Depth::u16, true, 16384},
    {".jxl", "", Depth::u8, Depth::f32, true, kUnlimited},
    {".ppm", "format=ppm", Depth::u8, Depth::u16, false, kUnlimited},
    {".pgm", "format=pgm", Depth::u8, Depth::u16, false, kUnlimited},
    {".pnm", "format=pnm", Depth::u8, Depth::u16, false, kUnlimited},
    {".pfm", "format=pfm", Depth::f32, Depth::f32, false, kUnlimited},
}};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

const FormatRow* find_format(std::string_view extension) {
  const auto* row = std::find_if(kFormats.begin(), kFormats.end(),
                                 [&](const FormatRow& r) { return r.extension == extension; });
  return row == kFormats.end() ? nullptr : row;
}

/// "Q=95" in front of the user's "[...]": the later of two settings wins in libvips.
std::string joined_options(std::string_view defaults, std::string_view options) {
  if (options.empty()) return defaults.empty() ? "" : fmt::format("[{}]", defaults);
  if (defaults.empty()) return std::string(options);
  const auto key = defaults.substr(0, defaults.find('=') + 1);
  if (options.find(key) != std::string_view::npos) return std::string(options);
  return fmt::format("[{},{}", defaults, options.substr(1));
}

/// What a picture's owner put in, as against what describes the old file.
bool is_kept_field(std::string_view field) {
  if (field == "exif-ifd0-Orientation") return false;  // it has been applied
  constexpr std::array<std::string_view, 7> kept{
      "exif-", "xmp-data", "iptc-data", "photoshop-data", "png-comment-", "comment", "resolution-unit"};
  return std::any_of(kept.begin(), kept.end(),
                     [&](std::string_view prefix) { return field.substr(0, prefix.size()) == prefix; });
}

void copy_metadata(VipsImage* from, VipsImage* to) {
  const auto copy_field = [](VipsImage*, const char* field, GValue* value, void* target) -> void* {
    if (is_kept_field(field)) vips_image_set(static_cast<VipsImage*>(target), field, value);
    return nullptr;
  };
  vips_image_map(from, copy_field, to);
  vips_image_set_int(to, VIPS_META_ORIENTATION, 1);  // else the old one in the EXIF block would stay
  to->Xres = from->Xres;
  to->Yres = from->Yres;
}

void set_srgb_profile(vips::VImage& image) {
  VipsBlob* profile = nullptr;
  if (vips_profile_load("srgb", &profile, nullptr) != 0) throw vips::VError();
  size_t length = 0;
  const void* bytes = vips_blob_get(profile, &length);
  vips_image_set_blob_copy(image.get_image(), VIPS_META_ICC_NAME, bytes, length);
  vips_area_unref(VIPS_AREA(profile));
}

std::string save_options(const EncodeOptions& options, const RowSource& rows) {
  const auto& format = options.format;
  auto text = joined_options(find_format(format.extension())->defaults, format.options());
  const double bytes = double(rows.width()) * rows.height() * rows.planes() * double(bytes_of(options.depth));
  const bool tiff = format.extension().substr(0, 4) == ".tif";
  if (tiff && bytes > 3.5e9) text = joined_options("bigtiff=true", text);
  return format.extension() + text;
}

/// Standard output as libvips' target; notes the reason when a write fails.
class StdoutTarget {
 public:
  StdoutTarget() : target_(vips_target_custom_new()) {
    g_signal_connect(target_, "write",
                     G_CALLBACK(+[](VipsTargetCustom*, const void* data, gint64 length, StdoutTarget* self) {
                       return self->write(data, length);
                     }),
                     this);
  }
  ~StdoutTarget() { g_object_unref(target_); }
  StdoutTarget(const StdoutTarget&) = delete;
  StdoutTarget& operator=(const StdoutTarget&) = delete;

  VipsTarget* get() const { return VIPS_TARGET(target_); }
  int error() const { return error_; }

 private:
  gint64 write(const void* data, gint64 length) {
    if (error_ == 0) error_ = write_stdout({static_cast<const char*>(data), static_cast<size_t>(length)});
    return error_ == 0 ? length : -1;
  }
  VipsTargetCustom* target_;
  int error_ = 0;
};

void write_to_target(const StripImage& strips, const std::string& suffix, VipsTarget* target) {
  if (vips_image_write_to_target(strips.image().get_image(), suffix.c_str(), target, nullptr) != 0) {
    strips.rethrow();
    throw vips::VError();
  }
}

/// TIFF is not written from front to back: it goes to a file without a name first.
void write_seeking_to_stdout(const StripImage& strips, const std::string& suffix) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  if (!file) throw Error(fmt::format("standard output: no temporary file: {}", std::strerror(errno)));
  const int fd = ::fileno(file.get());
  {
    const auto target = vips::VTarget::new_to_descriptor(fd);
    write_to_target(strips, suffix, target.get_target());
  }
  copy_to_stdout(fd);
}

void write_to_stdout(const StripImage& strips, const std::string& suffix) {
  if (suffix.substr(0, 4) == ".tif") return write_seeking_to_stdout(strips, suffix);
  const StdoutTarget target;
  try {
    write_to_target(strips, suffix, target.get());
  } catch (const vips::VError&) {
    if (target.error() == 0) throw;
  }
  throw_stdout_error(target.error());
}

void write_to_file(const StripImage& strips, const std::string& suffix, const fs::path& path) {
  AtomicFile file(path);
  {
    const auto target = vips::VTarget::new_to_file(file.path().c_str());
    write_to_target(strips, suffix, target.get_target());
  }
  file.commit();
}

}  // namespace

Format Format::parse(std::string_view text) {
  auto [name, options] = split_options(text);
  Format format;
  format.extension_ = lower(name.substr(0, 1) == "." ? name : "." + name);
  format.options_ = options;
  if (find_format(format.extension_) == nullptr) {
    std::string known;
    for (const auto& row : kFormats) known += fmt::format(" {}", row.extension.substr(1));
    throw UsageError(fmt::format("'{}' is no format that can be written (those are{})", name, known));
  }
  return format;
}

std::vector<std::string> Format::names() {
  std::vector<std::string> names;
  for (const auto& format : kFormats) names.emplace_back(format.extension.substr(1));
  return names;
}

std::optional<Format> Format::of_name(const fs::path& name) {
  const auto extension = lower(name.extension().string());
  if (extension.empty() || find_format(extension) == nullptr) return std::nullopt;
  Format format;
  format.extension_ = extension;
  return format;
}

Depth Format::shallowest() const { return find_format(extension_)->shallowest; }
Depth Format::deepest() const { return find_format(extension_)->deepest; }
bool Format::holds_alpha() const { return find_format(extension_)->alpha; }
int Format::max_side() const { return find_format(extension_)->max_side; }

void check_save_options(const Format& format) {
  if (format.options().empty()) return;
  constexpr int kSide = 64;  // not every encoder takes a smaller one
  try {
    const auto black = vips::VImage::black(kSide, kSide, vips::VImage::option()->set("bands", 3));
    void* bytes = nullptr;
    size_t length = 0;
    black.copy(vips::VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB))
        .write_to_buffer((format.extension() + format.options()).c_str(), &bytes, &length);
    g_free(bytes);
  } catch (const vips::VError& error) {
    throw UsageError(
        fmt::format("{}{}: {}", format.extension().substr(1), format.options(), vips_reason(error)));
  }
}

NameWithOptions split_options(std::string_view text) {
  const size_t open = text.rfind('[');
  if (open == std::string_view::npos || text.back() != ']') return {std::string(text), ""};
  return {std::string(text.substr(0, open)), std::string(text.substr(open))};
}

void encode(RowSource& rows, const Picture& original, const fs::path& path, const EncodeOptions& options) {
  const auto name = shown(path, "standard output");
  const int longest = std::max(rows.width(), rows.height());
  if (longest > options.format.max_side()) {
    throw Error(fmt::format("{}: {}x{} is larger than {} can hold ({} pixels a side)", name, rows.width(),
                            rows.height(), options.format.extension().substr(1), options.format.max_side()));
  }
  try {
    StripImage strips(rows, options.depth);
    auto image = strips.image();
    if (options.metadata == Metadata::keep) copy_metadata(original.image.get_image(), image.get_image());
    if (rows.planes() >= 3) set_srgb_profile(image);
    const auto suffix = save_options(options, rows);
    is_stream(path) ? write_to_stdout(strips, suffix) : write_to_file(strips, suffix, path);
  } catch (const vips::VError& error) {
    throw Error(fmt::format("{}: {}", name, vips_reason(error)));
  }
}

}  // namespace sr
