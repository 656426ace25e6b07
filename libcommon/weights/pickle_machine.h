#pragma once
// The stack machine behind pickle::read: what opcodes do is in pickle.cpp, what they work on is here.

#include <unordered_map>

#include "weights/byte_reader.h"
#include "weights/pickle.h"

namespace sr::pickle {

/// A stack, a memo and the document under construction. Every operation throws Error where the pickle asks
/// for what is not there, and where it grows beyond all reason.
class Machine {
 public:
  explicit Machine(std::string_view data) : in(data) {}

  ByteReader in;
  Document made;
  bool stopped = false;

  // --- stack ---
  void push(Value value) { stack_.push_back(value); }
  Value pop();
  const Value& top() const;
  void mark() { marks_.push_back(stack_.size()); }
  std::vector<Value> pop_to_mark();
  /// Drops the topmost value, or the mark if that is topmost.
  void drop();

  // --- memo ---
  void remember(std::uint64_t index) { memo_[index] = top(); }
  void remember_next() { remember(memo_.size()); }
  void recall(std::uint64_t index);

  // --- making values ---
  void push_sequence(std::vector<Value> items);
  void push_dict(Entries entries);
  void push_text(std::string decoded);
  void push_global(std::string_view module, std::string_view name);
  /// The record of a call, or a plain container where that is what it would make.
  void push_call(const Value& callable, const Value& arguments);
  void append_to_top(std::span<const Value> items);
  /// Keys and values by turns.
  void set_in_top(std::span<const Value> keys_and_values);
  void build_top(const Value& state);

  /// Accounts for work; throws Error once there is more of it than any checkpoint needs.
  void spend(std::size_t units);

 private:
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  bool push_plain_call(const Global& callable, std::span<const Value> arguments);
  bool push_table_from(const Value& initial);
  bool push_latin1(std::span<const Value> arguments);

  std::vector<Value> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, Value> memo_;
  std::size_t spent_ = 0;
};

/// Pairs out of keys and values by turns; throws Error where a key has no value.
Entries pair_up(std::span<const Value> keys_and_values);

}  // namespace sr::pickle
