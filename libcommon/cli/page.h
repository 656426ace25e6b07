#pragma once
// HTML pages that hold all they need, pictures too: templates of share/report, filled in.
//
// Pictures of up to 2^21 pixels (Full HD) are stored lossless, as PNG of 8 bits; larger ones as JPEG (quality
// 95, colours in full), beyond 2^24 pixels or 2^14 a side shrunk by a whole factor first, since not every
// browser draws larger ones.

#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/atomic_file.h"
#include "core/torch.h"

namespace sr {

/// JSON as a script element of these attributes, which nothing in it ends.
std::string json_script(const std::string& attributes, const nlohmann::ordered_json& json);

/// A picture, [3,H,W] or [1,H,W] float in [0,1] (values beyond are clamped), as a page stores it. Throws
/// Error where it is none.
class StoredPicture {
 public:
  explicit StoredPicture(const Tensor& picture);
  bool lossless() const { return lossless_; }
  int64_t shrunk() const { return shrunk_; }  ///< by this factor both ways
  std::string script() const;                 ///< an element that holds it as a data URI
  std::string thumbnail() const;              ///< as a data URI, of at most 96 pixels a side

 private:
  bool lossless_;
  int64_t shrunk_;
  Tensor bytes_;  ///< uint8 [H,W,planes]
};

/// A page in the making. Its file takes its name in `finish`; without that nothing is left behind. The bytes
/// don't depend on the order in which rows are added, and memory holds the rows that are being added, no
/// others.
class Page {
 public:
  /// Opens `file` before anything is measured, for a page like share/report/NAME. Throws UsageError where it
  /// can't be written, or is "-".
  Page(const fs::path& file, const std::string& name);

  /// What the page holds at place `index`; each is given once. May be called from several threads. Throws
  /// Error.
  void add(size_t index, std::string_view row);

  /// What stands before and after the rows, and the end. Throws Error.
  void finish(std::string_view before, std::string_view after);

 private:
  using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
  struct Part {
    long offset, length;  ///< bytes
  };
  void write(const File& file, std::string_view text) const;
  void copy(const Part& part, const File& page) const;

  std::string template_;
  AtomicFile page_;
  File rows_;  ///< nameless: rows as they come, until `finish` puts them in order
  std::map<size_t, Part> parts_;
  std::mutex mutex_;
};

}  // namespace sr
