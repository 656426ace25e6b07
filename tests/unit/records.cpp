#include "core/records.h"

#include <cstdint>
#include <cstdlib>
#include <doctest.h>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"

namespace {

using sr::Field;
using sr::RecordFormat;
using sr::RecordLayout;
using sr::RecordWriter;

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

/// What a writer of `layout` prints of one record.
std::string printed(const RecordLayout& layout, const std::vector<Field>& fields) {
  const File file(std::tmpfile(), std::fclose);
  RecordWriter(file.get(), "test", layout).write(fields);
  std::string text(static_cast<std::size_t>(std::ftell(file.get())), '\0');
  std::rewind(file.get());
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  return text;
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("TSV has facts, a header and rows") {
  RecordLayout layout{{"file", "psnr", "pixels"}, {{"protocol", "sr-y"}}};
  const std::vector<Field> fields = {std::string("a b.png"), 31.25, std::int64_t{12}};
  CHECK(printed(layout, fields) == "# protocol: sr-y\nfile\tpsnr\tpixels\na b.png\t31.25\t12\n");
  layout.header = false;
  layout.facts.clear();
  CHECK(printed(layout, fields) == "a b.png\t31.25\t12\n");
}

TEST_CASE("a record of TSV stays a line and reads back") {
  const std::string name = "tab\there\nline\\n \r end\\";
  const std::string text = printed({{"file", "ok"}, {}, RecordFormat::tsv, false}, {name, true});
  CHECK(text == "tab\\there\\nline\\\\n \\r end\\\\\ttrue\n");
  CHECK(sr::tsv_fields(text) == std::vector<std::string>{name, "true"});
  CHECK(sr::tsv_unescape("C:\\x") == "C:\\x");
  CHECK(sr::tsv_fields("a\t\tb\r\n") == std::vector<std::string>{"a", "", "b"});
  CHECK(sr::tsv_fields("") == std::vector<std::string>{""});
}

TEST_CASE("JSON is one valid object a line") {
  const RecordLayout layout{{"file", "psnr", "n", "ok"}, {{"protocol", "rgb"}}, RecordFormat::json};
  const std::string text = printed(layout, {std::string("a\"\n.png"), 0.1, std::int64_t{-3}, false});
  CHECK(text.find('\n') == text.size() - 1);
  const auto object = nlohmann::json::parse(text);
  CHECK(object ==
        nlohmann::json{{"file", "a\"\n.png"}, {"psnr", 0.1}, {"n", -3}, {"ok", false}, {"protocol", "rgb"}});
}

TEST_CASE("JSON stays valid with bytes that are not UTF-8 and numbers that are not finite") {
  const RecordLayout layout{{"file", "a", "b"}, {}, RecordFormat::json};
  const auto object =
      nlohmann::json::parse(printed(layout, {std::string("\xff.png"), kInfinity, std::nan("")}));
  CHECK(object["file"] == "\xEF\xBF\xBD.png");
  CHECK(object["a"] == "inf");
  CHECK(object["b"] == "nan");
}

TEST_CASE("numbers read back equal") {
  for (const double value : {0.1, 1.0 / 3, 1e22, 5e-324, -0.0, 123456789.125, 31.786740123456789}) {
    const std::string text = sr::number_text(value);
    CHECK(std::strtod(text.c_str(), nullptr) == value);
  }
  CHECK(sr::number_text(100) == "100");
  CHECK(sr::number_text(kInfinity) == "inf");
  CHECK(sr::number_text(-kInfinity) == "-inf");
  CHECK(sr::number_text(-std::nan("")) == "nan");
}

TEST_CASE("a full disk is an error that names the output") {
  const File full(std::fopen("/dev/full", "w"), std::fclose);
  REQUIRE(full);
  CHECK_THROWS_WITH_AS(RecordWriter(full.get(), "standard output", {{"a"}, {}}),
                       "standard output: No space left on device", sr::Error);
}

TEST_CASE("a record must fit its columns") {
  const File file(std::tmpfile(), std::fclose);
  RecordWriter writer(file.get(), "test", {{"a", "b"}, {}});
  CHECK_THROWS_AS(writer.write({1.0}), sr::Error);
}
