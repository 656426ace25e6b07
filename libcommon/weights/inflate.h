#pragma once
// zlib as archives use it: their compressed streams and checksums.

#include <cstdint>
#include <span>
#include <string_view>
#include <zlib.h>

namespace sr {

/// CRC-32 of `bytes`, going on from `before`, that of what stands before them.
std::uint32_t crc_of(std::string_view bytes, std::uint32_t before = 0);

/// Unpacks one compressed stream, which must outlive it.
class Inflater {
 public:
  enum class Wrapping { none = -MAX_WBITS, zlib = MAX_WBITS };

  Inflater(std::string_view packed, Wrapping wrapping);
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// Fills `plain`; how many bytes there were for it: fewer where the stream ends, or is damaged.
  std::size_t read(std::span<char> plain);

  /// True where the stream's end has been reached, and all before it was sound.
  bool ended() const { return status_ == Z_STREAM_END; }

 private:
  z_stream stream_{};
  std::string_view packed_;
  int status_ = Z_OK;
};

}  // namespace sr
