#pragma once
// Encoding: rows into files, in any format libvips writes.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "image/picture.h"
#include "image/rows.h"

namespace sr {

enum class Metadata { keep, strip };

/// A file format with libvips' save options: "png", "jpg[Q=92]", "tiff[compression=lzw]".
class Format {
 public:
  /// Throws UsageError where the format is not known or the brackets don't close.
  static Format parse(std::string_view text);
  /// "png", "jpg" ...: every extension that is known.
  static std::vector<std::string> names();
  /// Of a file name's extension, or nothing where it has none that is known.
  static std::optional<Format> of_name(const fs::path& name);

  const std::string& extension() const { return extension_; }  ///< ".png"
  const std::string& options() const { return options_; }      ///< "[Q=92]" or ""
  Depth shallowest() const;                                    ///< the samples that it holds
  Depth deepest() const;
  bool holds_alpha() const;
  int max_side() const;  ///< pixels

  friend bool operator==(const Format&, const Format&) = default;

 private:
  std::string extension_;
  std::string options_;
};

/// Throws UsageError where libvips doesn't know one of the save options, or its value.
void check_save_options(const Format& format);

/// "photo.jpg[Q=92]" -> "photo.jpg" and "[Q=92]".
struct NameWithOptions {
  std::string name;
  std::string options;
};
NameWithOptions split_options(std::string_view text);

struct EncodeOptions {
  Format format;
  Depth depth = Depth::u8;
  Metadata metadata = Metadata::keep;
};

/// Pulls the rows and writes them to `path` ("-": standard output), atomically. `original` gives the
/// metadata. The file carries an sRGB profile unless it is grey. Throws Error that names the target.
void encode(RowSource& rows, const Picture& original, const fs::path& path, const EncodeOptions& options);

}  // namespace sr
