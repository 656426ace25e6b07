#include <fmt/format.h>

#include "weights/hostile_calls.h"
#include "weights/pickle.h"
#include "weights_testing.h"

namespace sr::testing {
namespace {

using namespace std::string_view_literals;
using pickle::Document;
using pickle::Value;

/// The items of the tuple or list that a pickle is.
const std::vector<Value>& items_of(const Document& document) {
  const auto* sequence = pickle::as_sequence(document.root);
  REQUIRE(sequence);
  return sequence->items;
}

template <class T>
T held(const Value& value) {
  REQUIRE(std::holds_alternative<T>(value));
  return std::get<T>(value);
}

TEST_CASE("numbers of every width and protocol") {
  const Document document = pickle::read(
      "\x80\x02("
      "I-12\nI01\nL99999999999999999999L\nL-5L\nF1.5\n"
      "G\x3f\xf8\0\0\0\0\0\0"
      "J\xfe\xff\xff\xff"
      "K\xff"
      "M\xff\xff"
      "\x8a\x02\x00\x80"
      "\x8a\x00"
      "\x8b\x08\0\0\0\0\0\0\0\0\0\0\x80"
      "\x8a\x09\0\0\0\0\0\0\0\0\1"
      "N\x88\x89t."sv);
  const auto& items = items_of(document);
  REQUIRE(items.size() == 16);
  CHECK(pickle::as_integer(items[0]) == -12);
  CHECK(held<bool>(items[1]) == true);
  CHECK(held<pickle::BigInt>(items[2]).bytes == "99999999999999999999");
  CHECK(pickle::as_integer(items[3]) == -5);
  CHECK(held<double>(items[4]) == 1.5);
  CHECK(held<double>(items[5]) == 1.5);
  CHECK(pickle::as_integer(items[6]) == -2);
  CHECK(pickle::as_integer(items[7]) == 255);
  CHECK(pickle::as_integer(items[8]) == 65535);
  CHECK(pickle::as_integer(items[9]) == -32768);
  CHECK(pickle::as_integer(items[10]) == 0);
  CHECK(pickle::as_integer(items[11]) == INT64_MIN);
  CHECK(held<pickle::BigInt>(items[12]).bytes.size() == 9);
  CHECK(std::holds_alternative<pickle::None>(items[13]));
  CHECK(held<bool>(items[14]) == true);
  CHECK(held<bool>(items[15]) == false);
}

TEST_CASE("texts and bytes of every kind") {
  const Document document = pickle::read(
      "(S'a\\'\\n\\x41'\nV\xe9\\u4e2d\\U0001f600\nT\2\0\0\0xyU\1zX\2\0\0\0\xc3\xa9\x8c\1q"
      "\x8d\1\0\0\0\0\0\0\0r"
      "B\1\0\0\0bC\1c\x8e\1\0\0\0\0\0\0\0d\x96\1\0\0\0\0\0\0\0e"
      "c_codecs\nencode\n(X\3\0\0\0\xc3\xbf!X\6\0\0\0latin1tRt."sv);
  const auto& items = items_of(document);
  REQUIRE(items.size() == 12);
  const std::vector<std::string> texts{
      "a'\nA", "\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80", "xy", "z", "\xc3\xa9", "q", "r"};
  for (std::size_t i = 0; i < texts.size(); ++i) CHECK(pickle::as_text(items[i]) == texts[i]);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(held<pickle::Bytes>(items[7 + i]).bytes == std::string(1, "bcde"[i]));
  }
  CHECK(held<pickle::Bytes>(items[11]).bytes == "\xff!");
}

TEST_CASE("containers, memo and stack") {
  // [1, 2, 3], {"a": [..the list..], "a": 2}, (), (True,)
  const Document document = pickle::read(
      "(]q\1K\1a(K\2K\3e}(U\1ah\1U\1aK\2u)\x88\x85K\x09"
      "0t."sv);
  const auto& items = items_of(document);
  REQUIRE(items.size() == 4);
  CHECK(pickle::as_sequence(items[0])->items.size() == 3);
  const auto* table = pickle::as_table(items[1]);
  REQUIRE(table);
  CHECK(table->size() == 2);
  CHECK(pickle::as_sequence((*table)[0].second) == pickle::as_sequence(items[0]));
  CHECK(pickle::as_integer(*pickle::find(*table, "a")) == 2);
  CHECK(pickle::find(*table, "b") == nullptr);
  CHECK(pickle::as_sequence(items[2])->items.empty());
  CHECK(document.length == 34);
}

TEST_CASE("a container may hold itself") {
  const Document document = pickle::read("]q\0h\0a}q\1U\1xh\1sa."sv);
  const auto& items = items_of(document);
  CHECK(pickle::as_sequence(items[0])->items.size() == 2);
}

TEST_CASE("calls become records, dict classes become tables") {
  const Document document = pickle::read(
      "(ccollections\nOrderedDict\n(((U\1kK\1tltR"
      "cargparse\nNamespace\n)\x81}U\2lrK\2sb"
      "(K\3ithing\nClass\nt."sv);
  const auto& items = items_of(document);
  REQUIRE(items.size() == 3);
  CHECK(pickle::as_integer(*pickle::find(*pickle::as_table(items[0]), "k")) == 1);
  const auto* options = pickle::as_object(items[1]);
  REQUIRE(options);
  CHECK(options->type->is("argparse", "Namespace"));
  CHECK(pickle::as_integer(*pickle::find(*pickle::as_table(options->state), "lr")) == 2);
  CHECK(pickle::describe(items[2]) == "a call of thing.Class");
  CHECK(pickle::as_integer(pickle::arguments(*pickle::as_object(items[2]))[0]) == 3);
}

TEST_CASE("malformed pickles are errors") {
  const auto error = [](std::string_view bytes) { return error_of([&] { pickle::read(bytes); }); };
  CHECK(contains(error(""), "ends too early"));
  CHECK(contains(error("\x80"), "ends too early"));
  CHECK(contains(error("X\xff\xff\xff\xff."), "ends too early"));
  CHECK(contains(error("\x8d\xff\xff\xff\xff\xff\xff\xff\xff."), "ends too early"));
  CHECK(contains(error("cno newline"), "ends too early"));
  CHECK(contains(error("."), "empty stack"));
  CHECK_NOTHROW(pickle::read("K\1(0."));  // drops the mark
  CHECK(contains(error("K\1(a."), "empty stack"));
  CHECK(contains(error("t."), "no mark"));
  CHECK(contains(error("h\5."), "nothing under memo 5"));
  CHECK(contains(error("K\1K\2a."), "appends to an integer"));
  CHECK(contains(error("NNNs."), "sets items of None"));
  CHECK(contains(error("}(K\1u."), "key without a value"));
  CHECK(contains(error("gx\n."), "malformed memo"));
  CHECK(contains(error("Fx\n."), "malformed number"));
  CHECK(contains(error("Sno quotes\n."), "quotes"));
  CHECK(contains(error("\x80\x09N."), "unknown protocol 9"));
  CHECK(contains(error("\x82\x01."), "opcode 0x82"));
  CHECK(contains(error("\x97."), "opcode 0x97"));
  CHECK(contains(error("(o."), "object of no class"));
}

TEST_CASE("a pickle that only grows is stopped") {
  const std::string endless(6'000'000, ']');
  CHECK(contains(error_of([&] { pickle::read(endless); }), "larger than any checkpoint's"));
  std::string copies = "(";  // a list of a thousand items, copied without end by a few bytes each
  for (int i = 0; i < 1000; ++i) copies += "N";
  copies +=
      "l\x85q\1"
      "0";
  for (int i = 0; i < 30000; ++i) copies += "c__builtin__\nset\nh\1R0";
  CHECK(contains(error_of([&] { pickle::read(copies + "N."); }), "larger than any checkpoint's"));
}

TEST_CASE("only calls that run commands raise the alarm") {
  const auto alarm = [](std::string_view bytes) { refuse_hostile_calls(pickle::read(bytes)); };
  CHECK(contains(error_of([&] { alarm("cos\nsystem\n(S'id'\ntR."); }), "os.system"));
  CHECK(contains(error_of([&] { alarm("(S'id'\niposix\nsystem\n."); }), "posix.system"));
  CHECK(contains(error_of([&] { alarm("cbuiltins\neval\n(S'1'\nt\x81."); }), "builtins.eval"));
  CHECK(contains(error_of([&] { alarm("(csubprocess\nPopen\nS'id'\no."); }), "subprocess.Popen"));
  CHECK_NOTHROW(alarm("cargparse\nNamespace\n)\x81."));
  CHECK_NOTHROW(alarm("cbuiltins\ngetattr\n)R."));
}

}  // namespace
}  // namespace sr::testing
