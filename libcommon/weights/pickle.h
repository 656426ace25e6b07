#pragma once
// Python pickles read as data. Nothing in a pickle is ever looked up, imported or called: a global stays a
// name, a call stays a record of what would have been called. What those records mean is for others to judge
// (torch_tensors.h knows those that stand for tensors).
// https://docs.python.org/3/library/pickletools.html describes the opcodes.

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sr::pickle {

struct Sequence;
struct Dict;
struct Object;
struct Persistent;

struct None {};

struct Text {
  std::string_view text;
};

struct Bytes {
  std::string_view bytes;
};

/// An integer wider than 64 bits: its two's complement, least byte first (or its decimal digits, where the
/// pickle is of the text kind).
struct BigInt {
  std::string_view bytes;
};

/// The name of a class or function.
struct Global {
  std::string_view module;
  std::string_view name;

  std::string dotted() const;
  bool is(std::string_view of_module, std::string_view of_name) const {
    return module == of_module && name == of_name;
  }
};

/// Containers are shared and may contain themselves, as in Python; their Document owns them.
using Value = std::variant<None, bool, std::int64_t, double, Text, Bytes, BigInt, const Global*, Sequence*,
                           Dict*, Object*, Persistent*>;

using Entries = std::vector<std::pair<Value, Value>>;

/// A list, tuple or set.
struct Sequence {
  std::vector<Value> items;
};

struct Dict {
  Entries entries;
};

/// What a pickle would make by calling or instantiating something; here only a record of it.
struct Object {
  const Global* type = nullptr;  ///< what would be called; null where that was not even a name
  Value arguments;               ///< a Sequence if the pickle is sane
  Value state;                   ///< what BUILD hands over; None without
  std::vector<Value> items;      ///< appended, where the object is some kind of list
  Entries entries;               ///< set, where the object is some kind of dict
};

/// A reference to something stored outside of the pickle.
struct Persistent {
  Value id;
};

/// A pickle's root value and everything it is made of. Texts and bytes view the pickle's own bytes, which
/// must outlive the document.
struct Document {
  Value root;
  std::size_t length = 0;  ///< bytes of the pickle, its STOP included
  std::deque<std::string> texts;
  std::deque<Global> globals;
  std::deque<Sequence> sequences;
  std::deque<Dict> dicts;
  std::deque<Object> objects;
  std::deque<Persistent> references;
};

/// Reads the pickle at the front of `data`, of protocol 0 to 5. Throws Error where it is cut short,
/// malformed, larger than any checkpoint's, or uses extension registries or out-of-band buffers.
Document read(std::string_view data);

// What a value is; empty or null where it is something else.
std::optional<std::string_view> as_text(const Value& value);
std::optional<std::int64_t> as_integer(const Value& value);
const Global* as_global(const Value& value);
const Sequence* as_sequence(const Value& value);
const Object* as_object(const Value& value);
const Persistent* as_persistent(const Value& value);

/// The entries of a dict or of an object of some dict class; null for anything else.
const Entries* as_table(const Value& value);

/// The value of a table's text key (the last one, if it repeats); null where there is none.
const Value* find(const Entries& table, std::string_view key);

/// The arguments of a recorded call, none where they are no tuple.
std::span<const Value> arguments(const Object& object);

/// What a value is, in words for an error message: "a list", "a call of os.system".
std::string describe(const Value& value);

}  // namespace sr::pickle
