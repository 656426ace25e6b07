#include "weights/inflate.h"

#include <algorithm>

#include "core/error.h"

namespace sr {
namespace {

/// zlib counts in 32 bits, so it is given a gigabyte at a time.
uInt portion(std::size_t rest) { return static_cast<uInt>(std::min<std::size_t>(rest, 1U << 30)); }

}  // namespace

std::uint32_t crc_of(std::string_view bytes, std::uint32_t before) {
  if (bytes.empty()) return before;  // zlib takes a null pointer for a wish to start anew
  return static_cast<std::uint32_t>(
      crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

Inflater::Inflater(std::string_view packed, Wrapping wrapping) : packed_(packed) {
  if (inflateInit2(&stream_, static_cast<int>(wrapping)) != Z_OK) throw Error("zlib cannot start");
}

std::size_t Inflater::read(std::span<char> plain) {
  const std::size_t wanted = plain.size();
  while (status_ == Z_OK) {
    const uInt input = stream_.avail_in = portion(packed_.size());
    const uInt output = stream_.avail_out = portion(plain.size());
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed_.data()));  // only read
    stream_.next_out = reinterpret_cast<Bytef*>(plain.data());
    status_ = inflate(&stream_, Z_NO_FLUSH);
    packed_.remove_prefix(input - stream_.avail_in);
    plain = plain.subspan(output - stream_.avail_out);
  }
  if (status_ == Z_BUF_ERROR && plain.empty()) status_ = Z_OK;  // the rest wants another call
  return wanted - plain.size();
}

}  // namespace sr
