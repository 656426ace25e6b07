#include "weights/mat_file.h"

#include <cmath>
#include <fmt/format.h>
#include <optional>

#include "weights/byte_reader.h"
#include "weights/inflate.h"
#include "weights/utf8.h"

namespace sr {
namespace {

constexpr std::size_t kHeader = 128, kMostUnpacked = std::size_t{256} << 20;

/// Types of stored data.
enum Type : std::uint32_t {
  kInt8 = 1,
  kUint8 = 2,
  kInt16 = 3,
  kUint16 = 4,
  kInt32 = 5,
  kUint32 = 6,
  kSingle = 7,
  kDouble = 9,
  kInt64 = 12,
  kUint64 = 13,
  kMatrix = 14,
  kCompressed = 15,
  kUtf8 = 16,
  kUtf16 = 17,
};

/// Classes of variables.
enum Class : std::uint32_t { kCells = 1, kText = 4, kFirstNumeric = 6, kLastNumeric = 15 };

struct Element {
  std::uint32_t type = 0;
  std::string_view data;
};

Element next_element(ByteReader& reader) {
  const auto tag = reader.number<std::uint32_t>();
  if (tag >> 16 != 0) {  // up to four bytes, in the tag's second half
    const std::string_view half = reader.take(4);
    if (tag >> 16 > half.size()) throw Error("a small element is too large");
    return {tag & 0xffff, half.substr(0, tag >> 16)};
  }
  const auto length = reader.number<std::uint32_t>();
  const Element element{tag, reader.take(length)};
  const std::size_t padding = tag == kCompressed ? 0 : (8 - length % 8) % 8;
  reader.take(std::min(padding, reader.remaining()));
  return element;
}

std::string inflated(std::string_view packed, std::size_t most) {
  Inflater inflater(packed, Inflater::Wrapping::zlib);
  std::string text;
  std::vector<char> chunk(1 << 16);
  std::size_t got = chunk.size();
  while (got == chunk.size() && text.size() <= most) {
    got = inflater.read(chunk);
    text.append(chunk.data(), got);
  }
  if (text.size() > most) throw Error(fmt::format("it unpacks to more than {} bytes", most));
  if (!inflater.ended()) throw Error("its compressed data is damaged");
  return text;
}

template <class Number>
std::vector<double> numbers_as(std::string_view data) {
  if (data.size() % sizeof(Number) != 0) throw Error("an element ends within a number");
  ByteReader reader(data);
  std::vector<double> numbers;
  while (reader.remaining() > 0) numbers.push_back(static_cast<double>(reader.number<Number>()));
  return numbers;
}

std::vector<double> numbers_of(const Element& element) {
  switch (element.type) {
    case kInt8: return numbers_as<std::int8_t>(element.data);
    case kUint8:
    case kUtf8: return numbers_as<std::uint8_t>(element.data);
    case kInt16: return numbers_as<std::int16_t>(element.data);
    case kUint16:
    case kUtf16: return numbers_as<std::uint16_t>(element.data);
    case kInt32: return numbers_as<std::int32_t>(element.data);
    case kUint32: return numbers_as<std::uint32_t>(element.data);
    case kSingle: return numbers_as<float>(element.data);
    case kDouble: return numbers_as<double>(element.data);
    case kInt64: return numbers_as<std::int64_t>(element.data);
    case kUint64: return numbers_as<std::uint64_t>(element.data);
    default: throw Error(fmt::format("elements of type {} hold no numbers", element.type));
  }
}

/// Numbers that count are stored in any type too.
std::int64_t whole(double number, std::int64_t low, std::int64_t high) {
  const bool fits = number >= static_cast<double>(low) && number <= static_cast<double>(high);
  if (!fits || number != std::floor(number))
    throw Error(fmt::format("{} stands where a whole number from {} to {} should", number, low, high));
  return static_cast<std::int64_t>(number);
}

/// Characters as UTF-8; those beyond the basic plane come as two of UTF-16 and are not put together.
std::string text_of(const Element& element) {
  if (element.type == kUtf8) return std::string(element.data);
  std::string text;
  for (const double number : numbers_of(element))
    append_utf8(text, static_cast<std::uint32_t>(whole(number, 0, UINT16_MAX)));
  return text;
}

/// What stands before a variable's contents.
struct Head {
  std::uint32_t kind = 0;
  bool complex = false;
  std::vector<std::int64_t> shape;
  std::string name;
  std::int64_t elements() const {
    std::int64_t product = 1;
    for (const auto side : shape) {
      if (side > 0 && product > INT32_MAX / side) throw Error("a variable's shape is absurd");
      product *= side;
    }
    return product;
  }
};

Head read_head(ByteReader& reader) {
  Head head;
  const auto flags = numbers_of(next_element(reader));
  if (flags.empty()) throw Error("a variable lacks its class");
  const auto bits = whole(flags[0], 0, UINT32_MAX);
  head.kind = static_cast<std::uint32_t>(bits & 0xff);
  head.complex = (bits >> 11 & 1) != 0;
  for (const double side : numbers_of(next_element(reader))) head.shape.push_back(whole(side, 0, INT32_MAX));
  head.name = std::string(next_element(reader).data);
  return head;
}

/// Numbers, or a text; nothing for other kinds.
std::optional<MatVariable> read_plain(const Head& head, ByteReader& reader) {
  MatVariable variable{head.shape, {}, {}, {}};
  if (head.kind == kText) {
    variable.texts.push_back(text_of(next_element(reader)));
    return variable;
  }
  if (head.kind < kFirstNumeric || head.kind > kLastNumeric || head.complex) return std::nullopt;
  variable.numbers = numbers_of(next_element(reader));
  if (static_cast<std::int64_t>(variable.numbers.size()) != head.elements())
    throw Error(fmt::format("{} does not fill its shape", head.name.empty() ? "a cell" : head.name));
  return variable;
}

MatVariable read_cell(const Element& cell) {
  if (cell.type != kMatrix) throw Error("a cell is no variable");
  if (cell.data.empty()) return {};
  ByteReader reader(cell.data);
  const Head head = read_head(reader);
  return read_plain(head, reader).value_or(MatVariable{});
}

/// Nothing for kinds that are left out.
std::optional<MatVariable> read_contents(const Head& head, ByteReader& reader) {
  if (head.kind != kCells) return read_plain(head, reader);
  MatVariable variable{head.shape, {}, {}, {}};
  for (std::int64_t i = 0, count = head.elements(); i < count; ++i) {
    auto cell = read_cell(next_element(reader));
    variable.texts.push_back(cell.texts.empty() ? std::string() : std::move(cell.texts.front()));
    if (cell.numbers.empty()) cell = {};
    variable.cells.push_back(std::move(cell));
  }
  return variable;
}

using Variables = std::map<std::string, MatVariable>;

void add_variable(const Element& element, Variables& variables) {
  if (element.type != kMatrix || element.data.empty()) return;
  ByteReader reader(element.data);
  const Head head = read_head(reader);
  if (auto variable = read_contents(head, reader)) variables[head.name] = std::move(*variable);
}

}  // namespace

std::map<std::string, MatVariable> parse_mat(std::string_view bytes) {
  constexpr std::size_t kByteOrder = 126;
  if (bytes.size() < kHeader || bytes.substr(kByteOrder, 2) != "IM")
    throw Error("not a MATLAB file of version 5 to 7, little-endian");
  ByteReader reader(bytes.substr(kHeader));
  Variables variables;
  std::size_t left = kMostUnpacked;
  while (reader.remaining() > 0) {
    const Element element = next_element(reader);
    if (element.type != kCompressed) {
      add_variable(element, variables);
      continue;
    }
    const std::string unpacked = inflated(element.data, left);
    left -= unpacked.size();
    ByteReader inner(unpacked);
    add_variable(next_element(inner), variables);
  }
  return variables;
}

std::map<std::string, MatVariable> read_mat(const fs::path& path) {
  const std::string bytes = read_file(path);
  return naming(printable(path.string()), [&] { return parse_mat(bytes); });
}

}  // namespace sr
