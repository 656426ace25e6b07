#include "weights/npz.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/atomic_file.h"
#include "core/error.h"
#include "weights/byte_reader.h"
#include "weights/dtype.h"
#include "weights/inflate.h"
#include "weights/tensor_view.h"
#include "weights/zip_archive.h"

namespace sr {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are little-endian and viewed in place");

constexpr std::string_view array_mark("\x93NUMPY", 6);
constexpr std::string_view kExtension = ".npy";
constexpr std::size_t kAlignment = 64;  // of an array's first byte, counted from its mark

// --- reading ---

/// What a member says of its array.
struct ArrayHeader {
  std::string dtype;  ///< "<f8"
  bool column_major = false;
  std::vector<std::int64_t> sizes;
};

/// Reads the header's text, a Python dictionary: {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : rest_(text) {}

  ArrayHeader read() {
    ArrayHeader header;
    std::set<std::string> seen;
    expect('{');
    while (!skip('}')) {
      const std::string key = quoted();
      expect(':');
      read_value(key, header);
      if (!seen.insert(key).second) fail();
      if (!skip(',')) {
        expect('}');
        break;
      }
    }
    if (seen.size() != 3) fail();
    return header;
  }

 private:
  [[noreturn]] static void fail() { throw Error("has a header that is none of NumPy's"); }

  void read_value(std::string_view key, ArrayHeader& header) {
    if (key == "descr") {
      if (skip('[')) throw Error("holds records, not numbers");
      header.dtype = quoted();
    } else if (key == "fortran_order") {
      header.column_major = truth();
    } else if (key == "shape") {
      header.sizes = tuple();
    } else {
      fail();
    }
  }

  void trim() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \n"), rest_.size())); }

  bool skip(char wanted) {
    trim();
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char wanted) {
    if (!skip(wanted)) fail();
  }

  std::string quoted() {
    const char quote = skip('"') ? '"' : '\'';
    if (quote == '\'') expect('\'');
    const std::size_t end = rest_.find(quote);
    if (end == std::string_view::npos) fail();
    std::string text(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return text;
  }

  bool truth() {
    trim();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (!rest_.starts_with(word)) continue;
      rest_.remove_prefix(word.size());
      return value;
    }
    fail();
  }

  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> numbers;
    expect('(');
    while (!skip(')')) {
      numbers.push_back(number());
      if (!skip(',')) {
        expect(')');
        break;
      }
    }
    return numbers;
  }

  std::int64_t number() {
    trim();
    std::int64_t value = 0;
    const auto [end, problem] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (problem != std::errc()) fail();
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    skip('L');  // Python 2
    return value;
  }

  std::string_view rest_;
};

ArrayHeader read_header(ByteReader& in) {
  if (in.take(array_mark.size()) != array_mark) throw Error("is no .npy member");
  const auto major = in.number<std::uint8_t>();
  in.take(1);
  if (major < 1 || major > 3) throw Error(fmt::format("is of version {} of the format", major));
  const std::size_t length = major == 1 ? in.number<std::uint16_t>() : in.number<std::uint32_t>();
  return HeaderParser(in.take(length)).read();
}

/// How an array's elements lie in the file, and what they become where tensors have no such type.
struct Element {
  at::ScalarType stored;
  at::ScalarType wider;
};

Element element_of(const std::string& dtype) {
  const bool little = dtype.starts_with('<'), either = dtype.starts_with('|');
  const std::string name = dtype.substr(std::min<std::size_t>(1, dtype.size()));
  if (dtype.starts_with('>')) throw Error(fmt::format("is big-endian ('{}')", printable(dtype)));
  if (little && name == "u2") return {at::kShort, at::kInt};
  if (little && name == "u4") return {at::kInt, at::kLong};
  if (little && name == "u8") return {at::kLong, at::kLong};
  const auto type = dtype_named(&DtypeNames::numpy, name);
  if (type && (little || (either && c10::elementSize(*type) == 1))) return {*type, *type};
  throw Error(fmt::format("holds no numbers that can be used ('{}')", printable(dtype)));
}

/// Gives unsigned numbers, read as signed ones of their width, their values back.
Tensor unsigned_values(const Tensor& stored, const Element& element) {
  if (element.stored == at::kLong) {
    if (stored.lt(0).any().item<bool>()) throw Error("holds unsigned numbers beyond 2^63 - 1");
    return stored;
  }
  const std::int64_t mask = element.stored == at::kShort ? 0xffff : 0xffffffff;
  return stored.to(at::kLong).bitwise_and(mask).to(element.wider);
}

TensorLayout layout_of(const ArrayHeader& header, at::ScalarType type) {
  return {type, header.sizes, contiguous_strides(header.sizes, header.column_major), 0};
}

void check_length(const ArrayHeader& header, at::ScalarType type, std::size_t found) {
  std::uint64_t bytes = c10::elementSize(type);
  for (const std::int64_t size : header.sizes) bytes *= static_cast<std::uint64_t>(size);  // checked before
  if (bytes != found) throw Error(fmt::format("takes {} bytes but its shape makes {}", found, bytes));
}

Tensor read_array(const SharedBytes& member) {
  ByteReader in(member.text());
  const ArrayHeader header = read_header(in);
  const Element element = element_of(header.dtype);
  const TensorLayout layout = layout_of(header, element.stored);
  check_length(header, element.stored, in.remaining());
  const Tensor array = view_tensor(member.slice(in.position(), in.remaining()), layout).contiguous();
  return header.dtype.substr(1, 1) == "u" && element.stored != at::kByte ? unsigned_values(array, element)
                                                                         : array;
}

/// The archive checks what it inflates, but not what is stored as it is.
void check_crc(const SharedBytes& member, const ZipArchive::Entry& entry) {
  if (crc_of(member.text()) != entry.crc) throw Error("is damaged (its CRC is wrong)");
}

bool is_array_name(std::string_view name) { return name.ends_with(kExtension); }

// --- writing ---

template <class Number>
void append(std::string& bytes, Number value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// An array as it is written: header and elements.
struct Member {
  std::string name;
  std::string header;
  Tensor array;
  std::uint32_t crc = 0;
  std::uint64_t offset = 0;

  std::string_view elements() const { return {static_cast<const char*>(array.data_ptr()), array.nbytes()}; }
  std::uint64_t size() const { return header.size() + array.nbytes(); }
};

std::string array_header(const Tensor& array) {
  const auto type = dtype_name(&DtypeNames::numpy, array.scalar_type());
  if (!type) throw Error(fmt::format("NumPy has no type for {}", c10::toString(array.scalar_type())));
  const auto sizes = array.sizes();
  std::string text = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}{}), }}",
                                 array.element_size() == 1 ? '|' : '<', *type, fmt::join(sizes, ", "),
                                 sizes.size() == 1 ? "," : "");
  const std::size_t before = array_mark.size() + 4, bytes = before + text.size() + 1;
  text.append((bytes + kAlignment - 1) / kAlignment * kAlignment - bytes, ' ');
  text += '\n';
  std::string header(array_mark);
  header += std::string_view("\1\0", 2);
  append(header, static_cast<std::uint16_t>(text.size()));  // tensors have few dimensions
  return header + text;
}

Member member_of(const std::string& name, const Tensor& tensor) {
  Member member{name + std::string(kExtension), {}, tensor.detach().to(at::kCPU).contiguous()};
  member.header = array_header(member.array);
  member.crc = crc_of(member.elements(), crc_of(member.header));
  return member;
}

/// What the local header and the directory both say of a member. The date is the first that zip knows, so
/// that equal arrays make equal files.
std::string description(const Member& member) {
  const bool ascii =
      std::ranges::all_of(member.name, [](char c) { return static_cast<signed char>(c) >= 0; });
  const auto size = static_cast<std::uint32_t>(member.size());
  std::string bytes;
  append(bytes, std::uint16_t{20});                              // version needed: 2.0
  append(bytes, static_cast<std::uint16_t>(ascii ? 0 : 0x800));  // the name is UTF-8
  append(bytes, std::uint16_t{0});                               // stored
  append(bytes, std::uint16_t{0});                               // midnight
  append(bytes, std::uint16_t{0x21});                            // 1980-01-01
  append(bytes, member.crc);
  append(bytes, size);
  append(bytes, size);
  append(bytes, static_cast<std::uint16_t>(member.name.size()));
  append(bytes, std::uint16_t{0});  // no extra field
  return bytes;
}

std::string directory_row(const Member& member) {
  std::string row("PK\1\2");
  append(row, std::uint16_t{20});
  row += description(member);
  row.append(10, '\0');  // comment, disk, attributes
  append(row, static_cast<std::uint32_t>(member.offset));
  return row + member.name;
}

std::string directory_end(std::size_t members, std::size_t size, std::uint64_t offset) {
  std::string end("PK\5\6");
  append(end, std::uint32_t{0});
  append(end, static_cast<std::uint16_t>(members));
  append(end, static_cast<std::uint16_t>(members));
  append(end, static_cast<std::uint32_t>(size));
  append(end, static_cast<std::uint32_t>(offset));
  append(end, std::uint16_t{0});
  return end;
}

/// The members with their places; throws Error where those don't fit into 32 bits.
std::vector<Member> members_of(const StateDict& arrays) {
  std::vector<Member> members;
  std::uint64_t offset = 0, names = 0;
  for (const auto& [name, array] : arrays) {
    Member member = member_of(name, array);
    member.offset = offset;
    if (member.name.size() > 0xffff) throw Error("an array's name is too long");
    offset += 30 + member.name.size() + member.size();
    names += 46 + member.name.size();
    members.push_back(std::move(member));
  }
  if (offset + names > 0xffffffff || members.size() > 0xffff)
    throw Error("the arrays take more than the 4 GB that are written to one .npz file");
  return members;
}

void write_stream(std::ostream& out, const std::vector<Member>& members) {
  std::string directory;
  std::uint64_t end = 0;
  for (const Member& member : members) {
    const std::string_view elements = member.elements();
    out << "PK\3\4" << description(member) << member.name << member.header;
    out.write(elements.data(), static_cast<std::streamsize>(elements.size()));
    directory += directory_row(member);
    end = member.offset + 30 + member.name.size() + member.size();
  }
  out << directory << directory_end(members.size(), directory.size(), end);
  out.flush();
}

}  // namespace

bool is_npz(const SharedBytes& file) {
  if (!file.text().starts_with("PK\3\4")) return false;
  const ZipArchive archive(file);
  const auto is_pickle = [](const auto& entry) { return entry.first.ends_with("data.pkl"); };
  return std::ranges::none_of(archive.entries(), is_pickle) &&
         std::ranges::any_of(archive.entries(), [](const auto& entry) { return is_array_name(entry.first); });
}

StateDict read_npz(const SharedBytes& file, const std::set<std::string>& only) {
  const ZipArchive archive(file);
  StateDict arrays;
  for (const auto& [member, entry] : archive.entries()) {
    if (!is_array_name(member)) continue;
    const std::string name = member.substr(0, member.size() - kExtension.size());
    if (!only.empty() && !only.count(name)) continue;
    const SharedBytes bytes = archive.read(member);
    try {
      check_crc(bytes, entry);
      arrays.emplace(name, read_array(bytes));
    } catch (const Error& problem) {
      throw Error(fmt::format("array '{}' {}", printable(name), problem.what()));
    }
  }
  return arrays;
}

StateDict read_npz(const fs::path& path, const std::set<std::string>& only) {
  const SharedBytes file = map_file(path);
  return naming(printable(path.string()), [&] { return read_npz(file, only); });
}

void write_npz(const fs::path& path, const StateDict& arrays) {
  write_whole(path, [&](std::ostream& out) { write_stream(out, members_of(arrays)); });
}

}  // namespace sr
