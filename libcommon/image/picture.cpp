#include "image/picture.h"

#include <algorithm>
#include <fcntl.h>
#include <fmt/format.h>
#include <iterator>
#include <unistd.h>
#include <vips/vips.h>

#include "core/error.h"
#include "image/encode.h"
#include "image/vips.h"

namespace sr {
namespace {

using vips::VImage;
using vips::VSource;

VSource open_source(const fs::path& path) {
  if (!is_stream(path)) return VSource::new_from_file(path.c_str());
  const int flags = ::fcntl(STDIN_FILENO, F_GETFL);
  if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY)
    throw Error("Bad file descriptor");  // closed by the caller
  return VSource::new_from_descriptor(STDIN_FILENO);
}

void check_size(const VImage& image, std::int64_t max_pixels) {
  const std::int64_t pixels = std::int64_t{image.width()} * image.height();
  if (pixels <= max_pixels) return;
  throw Error(fmt::format("{}x{} is more than --max-pixels {}", image.width(), image.height(), max_pixels));
}

/// libvips takes these over, and frees them.
vips::VOption* load_options(VipsAccess access) {
  return VImage::option()->set("access", access)->set("fail_on", VIPS_FAIL_ON_ERROR);
}

/// Formats that only ImageMagick reads (BMP) have no streaming loader: those are read and decoded whole.
VImage load_whole(const VSource& source, std::int64_t max_pixels) {
  size_t length = 0;
  const void* bytes = vips_source_map(source.get_source(), &length);
  if (bytes == nullptr) throw vips::VError();
  if (vips_foreign_find_load_buffer(bytes, length) == nullptr) {
    vips_error_clear();
    throw Error("not a picture in a known format");
  }
  const auto image = VImage::new_from_buffer(bytes, length, "", load_options(VIPS_ACCESS_SEQUENTIAL));
  check_size(image, max_pixels);
  return image.copy_memory();
}

VImage load(const fs::path& path, std::int64_t max_pixels, VipsAccess access) {
  const auto source = open_source(path);
  unsigned char* first = nullptr;
  if (vips_source_sniff_at_most(source.get_source(), &first, 1) == 0) throw Error("the file is empty");
  if (vips_foreign_find_load_source(source.get_source()) != nullptr) {
    auto image = VImage::new_from_source(source, "", load_options(access));
    check_size(image, max_pixels);
    return image;
  }
  vips_error_clear();
  return load_whole(source, max_pixels);
}

bool needs_turning(const VImage& image) {
  return image.get_typeof(VIPS_META_ORIENTATION) != 0 && image.get_int(VIPS_META_ORIENTATION) > 1;
}

/// Header first, rows on demand; a picture to be turned needs random access (libvips spills large ones to
/// disk).
VImage load_upright(const fs::path& path, std::int64_t max_pixels) {
  auto image = load(path, max_pixels, VIPS_ACCESS_SEQUENTIAL);
  // a pipe cannot be opened again
  const bool again = needs_turning(image) && fs::is_regular_file(path);
  return again ? load(path, max_pixels, VIPS_ACCESS_RANDOM) : image;
}

VImage turn_upright(VImage image) {
  if (!needs_turning(image)) return image;
  // standard input cannot be opened again for random access
  return (vips_image_is_sequential(image.get_image()) ? image.copy_memory() : image).autorot();
}

bool has_profile(const VImage& image) { return image.get_typeof(VIPS_META_ICC_NAME) != 0; }

/// True for sRGB's own profiles, which a round trip through the colour engine would only blur by a rounding.
bool is_srgb_profile(const VImage& image) {
  size_t length = 0;
  const auto* bytes = static_cast<const char*>(image.get_blob(VIPS_META_ICC_NAME, &length));
  std::string text;
  std::copy_if(bytes, bytes + length, std::back_inserter(text), [](char c) { return c != '\0'; });
  return text.find("sRGB") != std::string::npos && text.find("inear") == std::string::npos;
}

bool is_integer(const VImage& image) {
  return image.format() == VIPS_FORMAT_UCHAR || image.format() == VIPS_FORMAT_USHORT;
}

int colour_bands(const VImage& image) { return image.bands() - (image.has_alpha() ? 1 : 0); }

/// Alpha of 8 or 16 bits as 16 bits.
VImage alpha_16(const VImage& image) {
  const auto alpha = image.extract_band(image.bands() - 1);
  return alpha.format() == VIPS_FORMAT_UCHAR ? (alpha * 257).cast(VIPS_FORMAT_USHORT) : alpha;
}

/// Colours to sRGB by the embedded profile, CMYK by its own or libvips' fallback; 16 bit on the way. A
/// profile that is broken, or of another kind of picture, counts as none.
VImage profile_to_srgb(const VImage& image) {
  const bool cmyk = image.interpretation() == VIPS_INTERPRETATION_CMYK;
  const int bands = colour_bands(image);
  auto* options =
      VImage::option()->set("embedded", true)->set("depth", 16)->set("intent", VIPS_INTENT_RELATIVE);
  if (cmyk) options->set("input_profile", "cmyk");
  try {
    auto colour = image.extract_band(0, VImage::option()->set("n", bands)).icc_transform("srgb", options);
    if (bands == 1) colour = colour.extract_band(1);  // of a neutral colour all three are the same
    return image.has_alpha() ? colour.bandjoin(alpha_16(image)) : colour;
  } catch (const vips::VError&) {
    if (cmyk) throw;
    vips_error_clear();
    return image;
  }
}

/// Whatever the colour space: 1 or 3 sRGB bands of a depth that we hold (and alpha).
VImage to_srgb(const VImage& image) {
  const bool cmyk = image.interpretation() == VIPS_INTERPRETATION_CMYK;
  if (is_integer(image) && (cmyk || (has_profile(image) && !is_srgb_profile(image)))) {
    return profile_to_srgb(image);
  }
  switch (image.interpretation()) {
    case VIPS_INTERPRETATION_LAB:
    case VIPS_INTERPRETATION_LABS:
    case VIPS_INTERPRETATION_LABQ:
    case VIPS_INTERPRETATION_XYZ:
    case VIPS_INTERPRETATION_HSV:
    case VIPS_INTERPRETATION_LCH: return image.colourspace(VIPS_INTERPRETATION_RGB16);
    default: return image;
  }
}

VImage drop_extra_bands(const VImage& image) {
  if (image.bands() <= 4) return image;
  return image.extract_band(0, VImage::option()->set("n", 3));
}

Picture prepare(VImage image, std::string name) {
  Picture picture;
  picture.name = std::move(name);
  if (image.coding() == VIPS_CODING_RAD) image = image.rad2float();
  if (image.get_typeof("vips-loader") != 0) picture.loader = image.get_string("vips-loader");
  // what the file held decides the depth that goes out, not the 16 bits of a conversion
  if (is_integer(image)) picture.depth = depth_of_samples(image);
  const bool was_integer = is_integer(image);
  image = drop_extra_bands(to_srgb(turn_upright(std::move(image))));
  if (!was_integer) picture.depth = depth_of_samples(image);
  if (image.format() == VIPS_FORMAT_DOUBLE) image = image.cast(VIPS_FORMAT_FLOAT);
  picture.alpha = image.bands() % 2 == 0;
  picture.image = image;
  return picture;
}

/// True where the file's first bytes are those of a format that libvips reads.
bool looks_like_picture(const fs::path& path) {
  constexpr size_t kEnough = 4096;
  const auto lock = lock_vips_errors();
  try {
    const auto source = VSource::new_from_file(path.c_str());
    unsigned char* first = nullptr;
    const auto length = vips_source_sniff_at_most(source.get_source(), &first, kEnough);
    const bool known =
        length > 0 && (vips_foreign_find_load_source(source.get_source()) != nullptr ||
                       vips_foreign_find_load_buffer(first, static_cast<size_t>(length)) != nullptr);
    vips_error_clear();
    return known;
  } catch (const vips::VError&) {
    vips_error_clear();
    return false;
  }
}

}  // namespace

Depth depth_of_samples(const VImage& image) {
  switch (image.format()) {
    case VIPS_FORMAT_UCHAR: return Depth::u8;
    case VIPS_FORMAT_USHORT: return Depth::u16;
    case VIPS_FORMAT_FLOAT:
    case VIPS_FORMAT_DOUBLE: return Depth::f32;
    default:
      throw Error(fmt::format("samples of type {} are not supported",
                              vips_enum_nick(VIPS_TYPE_BAND_FORMAT, image.format())));
  }
}

Picture open_picture(const fs::path& path, std::int64_t max_pixels) {
  const auto lock = lock_vips_errors();
  return naming_errors(shown(path, "standard input"), [&] {
    return prepare(load_upright(path, max_pixels), shown(path, "standard input"));
  });
}

bool is_hidden(const fs::path& path) { return path.filename().string().front() == '.'; }

bool is_picture(const fs::path& path) {
  auto extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  const bool readable_only = extension == ".bmp" || extension == ".gif";
  return readable_only || Format::of_name(path).has_value() || looks_like_picture(path);
}

}  // namespace sr
