// The accessors of pickle.h; pickle.cpp has the interpreter.
#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "core/files.h"
#include "weights/pickle.h"

namespace sr::pickle {
namespace {

template <class T>
const T* pointed(const Value& value) {
  const auto* held = std::get_if<T*>(&value);
  return held ? *held : nullptr;
}

std::string describe_object(const Object& object) {
  return object.type ? fmt::format("a call of {}", object.type->dotted()) : "a call of something unnamed";
}

}  // namespace

std::string Global::dotted() const { return printable(fmt::format("{}.{}", module, name)); }

std::optional<std::string_view> as_text(const Value& value) {
  const auto* text = std::get_if<Text>(&value);
  return text ? std::optional(text->text) : std::nullopt;
}

std::optional<std::int64_t> as_integer(const Value& value) {
  const auto* number = std::get_if<std::int64_t>(&value);
  return number ? std::optional(*number) : std::nullopt;
}

const Global* as_global(const Value& value) { return pointed<const Global>(value); }
const Sequence* as_sequence(const Value& value) { return pointed<Sequence>(value); }
const Object* as_object(const Value& value) { return pointed<Object>(value); }
const Persistent* as_persistent(const Value& value) { return pointed<Persistent>(value); }

const Entries* as_table(const Value& value) {
  if (const auto* dict = pointed<Dict>(value)) return &dict->entries;
  const Object* object = as_object(value);
  return object && !object->entries.empty() ? &object->entries : nullptr;
}

const Value* find(const Entries& table, std::string_view key) {
  const auto found = std::find_if(table.rbegin(), table.rend(),
                                  [key](const auto& entry) { return as_text(entry.first) == key; });
  return found == table.rend() ? nullptr : &found->second;
}

std::span<const Value> arguments(const Object& object) {
  const Sequence* given = as_sequence(object.arguments);
  return given ? std::span<const Value>(given->items) : std::span<const Value>();
}

std::string describe(const Value& value) {
  if (const Object* object = as_object(value)) return describe_object(*object);
  if (const Global* global = as_global(value)) return fmt::format("the name {}", global->dotted());
  constexpr std::array words{"None",   "a truth value", "an integer", "a number", "a text",    "bytes",
                             "a long", "a name",        "a list",     "a table",  "an object", "a reference"};
  static_assert(words.size() == std::variant_size_v<Value>);
  return value.valueless_by_exception() ? "nothing" : words[value.index()];
}

}  // namespace sr::pickle
