#include "weights/zip_archive.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>
#include <vector>

#include "core/error.h"
#include "weights/byte_reader.h"
#include "weights/inflate.h"

namespace sr {
namespace {

constexpr std::string_view entry_mark("PK\x01\x02", 4);
constexpr std::string_view local_mark("PK\x03\x04", 4);
constexpr std::string_view end_mark("PK\x05\x06", 4);
constexpr std::string_view end64_mark("PK\x06\x06", 4);
constexpr std::string_view locator_mark("PK\x06\x07", 4);
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kLocatorBytes = 20;
constexpr std::size_t kLongestComment = 0xffff;
constexpr std::uint32_t kInExtraField = 0xffffffff;  // the value is too large for 32 bits
constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kDeflated = 8;
constexpr std::uint64_t kBestRatio = 1032;  // no deflate stream expands by more

struct Directory {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

ByteReader reader_at(std::string_view file, std::uint64_t offset, std::string_view mark) {
  if (offset > file.size()) throw Error("zip archive points beyond its end (an unfinished download?)");
  ByteReader in(file.substr(offset));
  if (in.take(mark.size()) != mark) throw Error("zip archive points to something other than it says");
  return in;
}

std::size_t find_end(std::string_view file) {
  const std::size_t searched = std::min(file.size(), kEndBytes + kLongestComment);
  const std::size_t found = file.substr(file.size() - searched).rfind(end_mark);
  if (found == std::string_view::npos) throw Error("zip archive has no end (an unfinished download?)");
  return file.size() - searched + found;
}

Directory read_end64(std::string_view file, std::uint64_t locator) {
  ByteReader in = reader_at(file, locator, locator_mark);
  in.take(4);
  ByteReader end = reader_at(file, in.number<std::uint64_t>(), end64_mark);
  end.take(36);
  const auto size = end.number<std::uint64_t>();
  return {end.number<std::uint64_t>(), size};
}

Directory find_directory(std::string_view file) {
  const std::size_t end = find_end(file);
  if (end >= kLocatorBytes && file.substr(end - kLocatorBytes, 4) == locator_mark) {
    return read_end64(file, end - kLocatorBytes);
  }
  ByteReader in = reader_at(file, end, end_mark);
  in.take(8);
  const auto size = in.number<std::uint32_t>();
  return {in.number<std::uint32_t>(), size};
}

/// The 64-bit extra field has those values, in this order, whose 32-bit places say so.
void widen(ZipArchive::Entry& entry, std::string_view extra_fields) {
  ByteReader extra(extra_fields);
  while (extra.remaining() >= 4) {
    const auto kind = extra.number<std::uint16_t>();
    ByteReader field(extra.take(extra.number<std::uint16_t>()));
    if (kind != 1) continue;
    for (std::uint64_t* value : {&entry.size, &entry.packed, &entry.header}) {
      if (*value == kInExtraField) *value = field.number<std::uint64_t>();
    }
  }
}

std::pair<std::string, ZipArchive::Entry> read_entry(ByteReader& in) {
  if (in.take(4) != entry_mark) throw Error("zip archive has a broken directory");
  in.take(4);
  const bool encrypted = in.number<std::uint16_t>() & 1;
  ZipArchive::Entry entry;
  entry.method = in.number<std::uint16_t>();
  in.take(4);
  entry.crc = in.number<std::uint32_t>();
  entry.packed = in.number<std::uint32_t>();
  entry.size = in.number<std::uint32_t>();
  const auto name_bytes = in.number<std::uint16_t>();
  const auto extra_bytes = in.number<std::uint16_t>();
  const auto comment_bytes = in.number<std::uint16_t>();
  in.take(8);
  entry.header = in.number<std::uint32_t>();
  std::string name(in.take(name_bytes));
  widen(entry, in.take(extra_bytes));
  in.take(comment_bytes);
  if (encrypted) throw Error(fmt::format("zip entry '{}' is encrypted", printable(name)));
  return {std::move(name), entry};
}

void check_sizes(const ZipArchive::Entries& entries, std::uint64_t file_bytes) {
  std::uint64_t sum = 0;
  for (const auto& [name, entry] : entries) {
    const bool wild = entry.packed > file_bytes - sum ||
                      (entry.method == kStored && entry.size != entry.packed) ||
                      entry.size / kBestRatio > entry.packed;
    if (wild) throw Error(fmt::format("zip entry '{}' is larger than can be", printable(name)));
    sum += entry.packed;  // entries that share bytes are how archives explode
  }
}

SharedBytes packed_bytes(const SharedBytes& file, const ZipArchive::Entry& entry) {
  ByteReader in = reader_at(file.text(), entry.header, local_mark);
  in.take(22);
  const auto name_bytes = in.number<std::uint16_t>();
  const auto extra_bytes = in.number<std::uint16_t>();
  in.take(std::size_t{name_bytes} + extra_bytes);
  return file.slice(entry.header + in.position(), entry.packed);
}

SharedBytes inflated(const SharedBytes& packed, const ZipArchive::Entry& entry) {
  const auto buffer = std::make_shared<std::vector<char>>(entry.size + 1);  // zlib refuses a null pointer
  const std::span<char> plain = std::span(*buffer).first(entry.size);
  Inflater inflater(packed.text(), Inflater::Wrapping::none);
  const bool whole = inflater.read(plain) == plain.size() && inflater.ended();
  if (!whole || crc_of({plain.data(), plain.size()}) != entry.crc) {
    throw Error("it is damaged (its deflate stream or CRC is wrong)");
  }
  return {buffer, plain};
}

}  // namespace

ZipArchive::ZipArchive(SharedBytes file) : file_(std::move(file)) {
  const Directory directory = find_directory(file_.text());
  ByteReader in(file_.slice(directory.offset, directory.size).text());
  while (in.remaining() > 0) {
    auto [name, entry] = read_entry(in);
    if (!entries_.emplace(name, entry).second) {
      throw Error(fmt::format("zip archive has two entries '{}'", printable(name)));
    }
  }
  check_sizes(entries_, file_.bytes.size());
}

SharedBytes ZipArchive::read(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) throw Error(fmt::format("zip archive has no entry '{}'", printable(name)));
  const Entry& entry = found->second;
  try {
    SharedBytes packed = packed_bytes(file_, entry);
    if (entry.method == kStored) return packed;
    if (entry.method == kDeflated) return inflated(packed, entry);
    throw Error(fmt::format("it has unknown compression method {}", entry.method));
  } catch (const Error& problem) {
    throw Error(fmt::format("zip entry '{}': {}", printable(name), problem.what()));
  }
}

}  // namespace sr
