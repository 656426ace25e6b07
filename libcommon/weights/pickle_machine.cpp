#include "weights/pickle_machine.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "weights/pickle_text.h"

namespace sr::pickle {
namespace {

/// Opcodes, and values copied by them. A checkpoint of a hundred thousand tensors takes some four million;
/// this many take at most a GB.
constexpr std::size_t kMostWork = 5'000'000;

/// True for the names of dict classes that a pickle calls with nothing, a list of pairs, or a factory.
bool makes_dict(const Global& callable) {
  return callable.is("collections", "OrderedDict") || callable.is("collections", "defaultdict") ||
         callable.is("builtins", "dict") || callable.is("__builtin__", "dict");
}

bool makes_sequence(const Global& callable) {
  constexpr std::array names{"list", "tuple", "set", "frozenset"};
  const bool builtin = callable.module == "builtins" || callable.module == "__builtin__";
  return (builtin && std::ranges::find(names, callable.name) != names.end()) || callable.is("torch", "Size");
}

}  // namespace

void Machine::spend(std::size_t units) {
  if (units > kMostWork - spent_) throw Error("the pickle is larger than any checkpoint's");
  spent_ += units;
}

Value Machine::pop() {
  const Value value = top();
  stack_.pop_back();
  return value;
}

const Value& Machine::top() const {
  if (stack_.size() <= floor()) throw Error("the pickle takes a value from an empty stack");
  return stack_.back();
}

std::vector<Value> Machine::pop_to_mark() {
  if (marks_.empty()) throw Error("the pickle has no mark where it needs one");
  const auto start = stack_.begin() + static_cast<std::ptrdiff_t>(floor());
  std::vector<Value> items(start, stack_.end());
  stack_.erase(start, stack_.end());
  marks_.pop_back();
  return items;
}

void Machine::drop() {
  const bool marked = !marks_.empty() && marks_.back() == stack_.size();
  marked ? marks_.pop_back() : static_cast<void>(pop());
}

void Machine::recall(std::uint64_t index) {
  const auto found = memo_.find(index);
  if (found == memo_.end()) throw Error(fmt::format("the pickle has nothing under memo {}", index));
  push(found->second);
}

void Machine::push_sequence(std::vector<Value> items) {
  push(&made.sequences.emplace_back(Sequence{std::move(items)}));
}

void Machine::push_dict(Entries entries) { push(&made.dicts.emplace_back(Dict{std::move(entries)})); }

void Machine::push_text(std::string decoded) { push(Text{made.texts.emplace_back(std::move(decoded))}); }

void Machine::push_global(std::string_view module, std::string_view name) {
  const Global& global = made.globals.emplace_back(Global{module, name});
  push(&global);
}

void Machine::push_call(const Value& callable, const Value& arguments) {
  const Global* name = as_global(callable);
  const Sequence* given = as_sequence(arguments);
  if (name && given && push_plain_call(*name, given->items)) return;
  push(&made.objects.emplace_back(Object{name, arguments, None{}, {}, {}}));
}

bool Machine::push_plain_call(const Global& callable, std::span<const Value> arguments) {
  if (makes_dict(callable)) return push_table_from(arguments.empty() ? Value() : arguments[0]);
  if (callable.is("_codecs", "encode")) return push_latin1(arguments);
  if (!makes_sequence(callable)) return false;
  const Sequence* items = arguments.empty() ? nullptr : as_sequence(arguments[0]);
  if (!arguments.empty() && !items) return false;
  spend(items ? items->items.size() : 0);
  push_sequence(items ? items->items : std::vector<Value>());
  return true;
}

/// `OrderedDict([(key, value), ...])`, as Python 2 wrote it, or another dict's copy.
bool Machine::push_table_from(const Value& initial) {
  Entries entries;
  if (const Entries* table = as_table(initial)) {
    spend(table->size());
    entries = *table;
  } else if (const Sequence* pairs = as_sequence(initial)) {
    spend(pairs->items.size());
    for (const Value& item : pairs->items) {
      const Sequence* pair = as_sequence(item);
      if (!pair || pair->items.size() != 2) return false;
      entries.emplace_back(pair->items[0], pair->items[1]);
    }
  }
  push_dict(std::move(entries));
  return true;
}

/// `_codecs.encode(text, "latin1")` is how protocols before 3 write bytes.
bool Machine::push_latin1(std::span<const Value> arguments) {
  const auto text = arguments.empty() ? std::nullopt : as_text(arguments[0]);
  if (!text) return false;
  spend(text->size());
  auto bytes = latin1_of_utf8(*text);
  if (!bytes) return false;
  push(Bytes{made.texts.emplace_back(std::move(*bytes))});
  return true;
}

void Machine::append_to_top(std::span<const Value> items) {
  std::vector<Value>* target = nullptr;
  if (auto* const* sequence = std::get_if<Sequence*>(&top())) target = &(*sequence)->items;
  if (auto* const* object = std::get_if<Object*>(&top())) target = &(*object)->items;
  if (!target) throw Error(fmt::format("the pickle appends to {}", describe(top())));
  target->insert(target->end(), items.begin(), items.end());
}

void Machine::set_in_top(std::span<const Value> keys_and_values) {
  Entries* target = nullptr;
  if (auto* const* dict = std::get_if<Dict*>(&top())) target = &(*dict)->entries;
  if (auto* const* object = std::get_if<Object*>(&top())) target = &(*object)->entries;
  if (!target) throw Error(fmt::format("the pickle sets items of {}", describe(top())));
  const Entries added = pair_up(keys_and_values);
  target->insert(target->end(), added.begin(), added.end());
}

void Machine::build_top(const Value& state) {
  // Plain containers may have attributes too (a state dict's `_metadata`); nobody needs them.
  if (auto* const* object = std::get_if<Object*>(&top())) (*object)->state = state;
}

Entries pair_up(std::span<const Value> keys_and_values) {
  if (keys_and_values.size() % 2 != 0) throw Error("the pickle has a key without a value");
  Entries entries;
  entries.reserve(keys_and_values.size() / 2);
  for (std::size_t i = 0; i < keys_and_values.size(); i += 2) {
    entries.emplace_back(keys_and_values[i], keys_and_values[i + 1]);
  }
  return entries;
}

}  // namespace sr::pickle
