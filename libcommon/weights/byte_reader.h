#pragma once
// A bounded walk over bytes: whatever the data says, nothing beyond its end is read.

#include <cstring>
#include <string_view>
#include <type_traits>

#include "core/error.h"

namespace sr {

/// Reads little-endian numbers and stretches of text, front to back; throws Error at the end of the data.
class ByteReader {
 public:
  explicit ByteReader(std::string_view data) : data_(data) {}

  std::size_t position() const { return position_; }
  std::size_t remaining() const { return data_.size() - position_; }

  std::string_view take(std::size_t length) {
    if (length > remaining()) throw Error("the data ends too early (an unfinished download?)");
    position_ += length;
    return data_.substr(position_ - length, length);
  }

  template <class Number>
  Number number() {
    static_assert(std::is_arithmetic_v<Number>);
    Number value{};
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  /// Up to the next newline, which is skipped and not part of the answer.
  std::string_view line() {
    const std::size_t end = data_.find('\n', position_);
    if (end == std::string_view::npos) throw Error("the data ends too early (an unfinished download?)");
    const std::string_view text = take(end - position_);
    position_ += 1;
    return text;
  }

 private:
  std::string_view data_;
  std::size_t position_ = 0;
};

}  // namespace sr
