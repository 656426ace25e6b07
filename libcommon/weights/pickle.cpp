#include "weights/pickle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <fmt/format.h>

#include "weights/pickle_machine.h"
#include "weights/pickle_text.h"

namespace sr::pickle {
namespace {

constexpr int kNewestProtocol = 5;

using Step = void (*)(Machine&);
/// What to do at each opcode; null where a byte is none.
using Steps = std::array<Step, 256>;

template <class Number>
std::optional<Number> parse(std::string_view digits) {
  Number number{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

template <class Length>
std::string_view counted(Machine& machine) {
  return machine.in.take(static_cast<std::size_t>(machine.in.number<Length>()));
}

// --- numbers ---

void read_int_line(Machine& machine) {
  const std::string_view line = machine.in.line();
  if (line == "00" || line == "01") return machine.push(line == "01");
  const auto number = parse<std::int64_t>(line);
  machine.push(number ? Value(*number) : Value(BigInt{line}));
}

void read_long_line(Machine& machine) {
  std::string_view line = machine.in.line();
  if (line.ends_with('L')) line.remove_suffix(1);
  const auto number = parse<std::int64_t>(line);
  machine.push(number ? Value(*number) : Value(BigInt{line}));
}

void read_float_line(Machine& machine) {
  const auto number = parse<double>(machine.in.line());
  if (!number) throw Error("the pickle has a malformed number");
  machine.push(*number);
}

void read_float(Machine& machine) {
  std::uint64_t bits = 0;
  for (const char byte : machine.in.take(8)) bits = bits << 8 | static_cast<unsigned char>(byte);
  machine.push(std::bit_cast<double>(bits));
}

void push_long(Machine& machine, std::string_view bytes) {
  if (bytes.size() > 8) return machine.push(BigInt{bytes});
  const bool negative = !bytes.empty() && (bytes.back() & 0x80) != 0;
  std::uint64_t bits = negative ? ~std::uint64_t{0} : 0;
  for (std::size_t i = bytes.size(); i-- > 0;) bits = bits << 8 | static_cast<unsigned char>(bytes[i]);
  machine.push(static_cast<std::int64_t>(bits));
}

constexpr void add_numbers(Steps& steps) {
  steps['I'] = read_int_line;
  steps['L'] = read_long_line;
  steps['F'] = read_float_line;
  steps['G'] = read_float;
  steps['J'] = [](Machine& m) { m.push(std::int64_t{m.in.number<std::int32_t>()}); };
  steps['K'] = [](Machine& m) { m.push(std::int64_t{m.in.number<std::uint8_t>()}); };
  steps['M'] = [](Machine& m) { m.push(std::int64_t{m.in.number<std::uint16_t>()}); };
  steps[0x8a] = [](Machine& m) { push_long(m, counted<std::uint8_t>(m)); };
  steps[0x8b] = [](Machine& m) { push_long(m, counted<std::uint32_t>(m)); };
  steps['N'] = [](Machine& m) { m.push(None{}); };
  steps[0x88] = [](Machine& m) { m.push(true); };
  steps[0x89] = [](Machine& m) { m.push(false); };
}

// --- texts and bytes ---

template <class Length>
void read_text(Machine& machine) {
  machine.push(Text{counted<Length>(machine)});
}

template <class Length>
void read_bytes(Machine& machine) {
  machine.push(Bytes{counted<Length>(machine)});
}

constexpr void add_texts(Steps& steps) {
  steps['S'] = [](Machine& m) { m.push_text(unquoted(m.in.line())); };
  steps['V'] = [](Machine& m) { m.push_text(unescaped_unicode(m.in.line())); };
  steps['T'] = read_text<std::uint32_t>;
  steps['U'] = read_text<std::uint8_t>;
  steps['X'] = read_text<std::uint32_t>;
  steps[0x8c] = read_text<std::uint8_t>;
  steps[0x8d] = read_text<std::uint64_t>;
  steps['B'] = read_bytes<std::uint32_t>;
  steps['C'] = read_bytes<std::uint8_t>;
  steps[0x8e] = read_bytes<std::uint64_t>;
  steps[0x96] = read_bytes<std::uint64_t>;
}

// --- containers ---

template <std::size_t count>
void make_tuple(Machine& machine) {
  std::vector<Value> items(count);
  for (std::size_t i = count; i-- > 0;) items[i] = machine.pop();
  machine.push_sequence(std::move(items));
}

void make_sequence(Machine& machine) { machine.push_sequence(machine.pop_to_mark()); }

void make_empty(Machine& machine) { machine.push_sequence({}); }

void append_one(Machine& machine) {
  const Value item = machine.pop();
  machine.append_to_top({&item, 1});
}

void append_many(Machine& machine) {
  const std::vector<Value> items = machine.pop_to_mark();
  machine.append_to_top(items);
}

void set_one(Machine& machine) {
  const Value value = machine.pop();
  const std::array entry{machine.pop(), value};
  machine.set_in_top(entry);
}

void set_many(Machine& machine) {
  const std::vector<Value> items = machine.pop_to_mark();
  machine.set_in_top(items);
}

constexpr void add_containers(Steps& steps) {
  steps['('] = [](Machine& m) { m.mark(); };
  steps[']'] = make_empty;
  steps[')'] = make_empty;
  steps[0x8f] = make_empty;
  steps['l'] = make_sequence;
  steps['t'] = make_sequence;
  steps[0x91] = make_sequence;
  steps[0x85] = make_tuple<1>;
  steps[0x86] = make_tuple<2>;
  steps[0x87] = make_tuple<3>;
  steps['}'] = [](Machine& m) { m.push_dict({}); };
  steps['d'] = [](Machine& m) { m.push_dict(pair_up(m.pop_to_mark())); };
  steps['a'] = append_one;
  steps['e'] = append_many;
  steps[0x90] = append_many;
  steps['s'] = set_one;
  steps['u'] = set_many;
}

// --- stack and memo ---

std::uint64_t memo_index(Machine& machine) {
  const auto index = parse<std::uint64_t>(machine.in.line());
  if (!index) throw Error("the pickle has a malformed memo number");
  return *index;
}

void check_protocol(Machine& machine) {
  const int protocol = machine.in.number<std::uint8_t>();
  if (protocol > kNewestProtocol) throw Error(fmt::format("the pickle is of unknown protocol {}", protocol));
}

constexpr void add_stack_and_memo(Steps& steps) {
  steps['0'] = [](Machine& m) { m.drop(); };
  steps['1'] = [](Machine& m) { m.pop_to_mark(); };
  steps['2'] = [](Machine& m) { m.push(m.top()); };
  steps['g'] = [](Machine& m) { m.recall(memo_index(m)); };
  steps['h'] = [](Machine& m) { m.recall(m.in.number<std::uint8_t>()); };
  steps['j'] = [](Machine& m) { m.recall(m.in.number<std::uint32_t>()); };
  steps['p'] = [](Machine& m) { m.remember(memo_index(m)); };
  steps['q'] = [](Machine& m) { m.remember(m.in.number<std::uint8_t>()); };
  steps['r'] = [](Machine& m) { m.remember(m.in.number<std::uint32_t>()); };
  steps[0x94] = [](Machine& m) { m.remember_next(); };
  steps[0x80] = check_protocol;
  steps[0x95] = [](Machine& m) { m.in.take(8); };  // a frame's length: frames only help buffering
  steps['.'] = [](Machine& m) { m.stopped = true; };
}

// --- names and calls ---

void read_global_lines(Machine& machine) {
  const std::string_view module = machine.in.line();
  machine.push_global(module, machine.in.line());
}

void make_global(Machine& machine) {
  const auto name = as_text(machine.pop());
  const auto module = as_text(machine.pop());
  if (!name || !module) throw Error("the pickle has a global whose name is no text");
  machine.push_global(*module, *name);
}

void record_call(Machine& machine) {
  const Value arguments = machine.pop();
  const Value callable = machine.pop();
  machine.push_call(callable, arguments);
}

void record_keyword_call(Machine& machine) {
  machine.pop();  // keyword arguments: no value that we understand has any
  record_call(machine);
}

/// The class is the first item after the mark.
void record_marked_call(Machine& machine) {
  std::vector<Value> items = machine.pop_to_mark();
  if (items.empty()) throw Error("the pickle makes an object of no class");
  const Value type = items.front();
  items.erase(items.begin());
  machine.push_sequence(std::move(items));
  const Value arguments = machine.pop();
  machine.push_call(type, arguments);
}

/// The class is named in the opcode.
void record_named_call(Machine& machine) {
  read_global_lines(machine);
  const Value type = machine.pop();
  make_sequence(machine);
  const Value arguments = machine.pop();
  machine.push_call(type, arguments);
}

void build(Machine& machine) {
  const Value state = machine.pop();
  machine.build_top(state);
}

void refer(Machine& machine, const Value& id) {
  machine.push(&machine.made.references.emplace_back(Persistent{id}));
}

constexpr void add_calls(Steps& steps) {
  steps['c'] = read_global_lines;
  steps[0x93] = make_global;
  steps['R'] = record_call;
  steps[0x81] = record_call;
  steps[0x92] = record_keyword_call;
  steps['o'] = record_marked_call;
  steps['i'] = record_named_call;
  steps['b'] = build;
  steps['P'] = [](Machine& m) { refer(m, Text{m.in.line()}); };
  steps['Q'] = [](Machine& m) { refer(m, m.pop()); };
}

constexpr Steps all_steps() {
  Steps steps{};
  add_numbers(steps);
  add_texts(steps);
  add_containers(steps);
  add_stack_and_memo(steps);
  add_calls(steps);
  return steps;
}

void take_step(Machine& machine) {
  static constexpr Steps steps = all_steps();
  const std::size_t position = machine.in.position();
  const auto opcode = machine.in.number<std::uint8_t>();
  if (!steps[opcode]) {
    throw Error(
        fmt::format("the pickle has an opcode 0x{:02x} at {} that no checkpoint needs", opcode, position));
  }
  machine.spend(1);
  steps[opcode](machine);
}

}  // namespace

Document read(std::string_view data) {
  Machine machine(data);
  while (!machine.stopped) take_step(machine);
  machine.made.root = machine.pop();
  machine.made.length = machine.in.position();
  return std::move(machine.made);
}

}  // namespace sr::pickle
