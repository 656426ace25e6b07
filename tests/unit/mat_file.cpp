#include "weights/mat_file.h"

#include <cmath>
#include <cstring>
#include <doctest.h>
#include <random>
#include <zlib.h>

#include "core/error.h"
#include "weights/mat_tensors.h"

namespace {

std::string u32(std::uint32_t value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

std::string element(std::uint32_t type, std::string data) {
  const auto length = static_cast<std::uint32_t>(data.size());
  data.resize((data.size() + 7) / 8 * 8);
  return u32(type) + u32(length) + data;
}

/// Up to four bytes, in one tag.
std::string small_element(std::uint32_t type, std::string data) {
  const auto length = static_cast<std::uint32_t>(data.size());
  data.resize(4);
  return u32(length << 16 | type) + data;
}

std::string variable(std::uint32_t kind, std::uint32_t rows, std::uint32_t columns, const std::string& name,
                     const std::string& contents) {
  const std::string named = name.size() <= 4 ? small_element(1, name) : element(1, name);
  return element(14,
                 element(6, u32(kind) + u32(0)) + element(5, u32(rows) + u32(columns)) + named + contents);
}

std::string doubles(const std::vector<double>& values) {
  std::string bytes(values.size() * sizeof(double), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return element(9, bytes);
}

std::string text(const std::string& word) {
  return variable(4, 1, static_cast<std::uint32_t>(word.size()), "", element(16, word));
}

std::string compressed(const std::string& data) {
  std::string packed(compressBound(data.size()), '\0');
  uLongf length = packed.size();
  compress(reinterpret_cast<Bytef*>(packed.data()), &length, reinterpret_cast<const Bytef*>(data.data()),
           data.size());
  packed.resize(length);
  return u32(15) + u32(static_cast<std::uint32_t>(length)) + packed;
}

std::string file(const std::string& elements) {
  std::string header = "MATLAB 5.0 MAT-file";
  header.resize(124, ' ');
  return header + std::string("\x00\x01IM", 4) + elements;
}

const std::string kNames = variable(1, 3, 1, "names", text("t1.bmp") + text("é.jpg") + text(""));
const std::string kScores = variable(6, 1, 3, "mos", doubles({1.5, -2, 100}));

}  // namespace

TEST_CASE("MATLAB files as tensors: row-major, cells by number") {
  const std::string matrix = variable(6, 2, 3, "m", doubles({1, 2, 3, 4, 5, 6}));  // column after column
  const std::string cells = variable(
      1, 1, 3, "model",
      variable(6, 1, 2, "", doubles({7, 8})) + text("word") + variable(6, 2, 1, "", doubles({9, 10})));
  std::string bytes = file(matrix + compressed(cells));
  const sr::SharedBytes shared{nullptr, bytes};
  REQUIRE(sr::is_mat(shared));
  const auto tensors = sr::read_mat_tensors(shared);
  CHECK(tensors.size() == 3);
  CHECK(tensors.at("m").equal(torch::tensor({{1., 3., 5.}, {2., 4., 6.}}, at::kDouble)));
  CHECK(tensors.at("model.0").equal(torch::tensor({{7., 8.}}, at::kDouble)));
  CHECK(tensors.at("model.2").equal(torch::tensor({{9.}, {10.}}, at::kDouble)));
}

TEST_CASE("MATLAB files: cells of names and rows of numbers, packed or not") {
  for (const bool packed : {false, true}) {
    const auto store = [&](const std::string& bytes) { return packed ? compressed(bytes) : bytes; };
    const auto variables = sr::parse_mat(file(store(kNames) + store(kScores)));
    CHECK(variables.at("names").texts == std::vector<std::string>{"t1.bmp", "é.jpg", ""});
    CHECK(variables.at("mos").numbers == std::vector<double>{1.5, -2, 100});
    CHECK(variables.at("mos").shape == std::vector<std::int64_t>{1, 3});
  }
}

TEST_CASE("MATLAB files: numbers are stored in smaller types, text in 16 bits") {
  const auto bytes = variable(6, 1, 4, "m", small_element(2, std::string("\x01\x02\x03\xff", 4)));
  CHECK(sr::parse_mat(file(bytes)).at("m").numbers == std::vector<double>{1, 2, 3, 255});
  const auto wide = variable(4, 1, 2, "t", small_element(4, std::string("a\0\xe9\0", 4)));
  CHECK(sr::parse_mat(file(wide)).at("t").texts == std::vector<std::string>{"aé"});
}

TEST_CASE("MATLAB files: damage is an error") {
  CHECK_THROWS_AS(sr::parse_mat("no"), sr::Error);
  CHECK_THROWS_AS(sr::parse_mat(std::string(200, 'x')), sr::Error);
  CHECK_THROWS_AS(sr::parse_mat(file(variable(6, 1, 4, "m", doubles({1, 2, 3})))), sr::Error);
  CHECK_THROWS_AS(sr::parse_mat(file(variable(6, 0x7fffffff, 0x7fffffff, "m", doubles({1})))), sr::Error);
  CHECK_THROWS_AS(sr::parse_mat(file(variable(1, 1000000, 1000, "c", text("a")))), sr::Error);
  for (const double number : {std::nan(""), 1e300, -1.0, 1.5}) {
    CHECK_THROWS_AS(sr::parse_mat(file(element(14, doubles({number})))), sr::Error);  // the class
    const std::string sized = element(6, u32(6) + u32(0)) + doubles({number, 1});
    CHECK_THROWS_AS(sr::parse_mat(file(element(14, sized + element(1, "m") + doubles({1})))), sr::Error);
    CHECK_THROWS_AS(sr::parse_mat(file(variable(4, 1, 1, "t", doubles({number})))), sr::Error);
  }
  auto cut = compressed(kScores);
  cut[10] ^= 0x55;
  CHECK_THROWS_AS(sr::parse_mat(file(cut)), sr::Error);
  CHECK_THROWS_AS(sr::parse_mat(file(compressed(element(9, std::string(std::size_t{300} << 20, '\0'))))),
                  sr::Error);
}

TEST_CASE("MATLAB files: any bytes answer, or are an error") {
  std::mt19937 random(11);
  const std::string sound = file(kNames + compressed(kScores) + kScores);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = sound;
    for (int i = 0; i < 3; ++i) bytes[128 + random() % (bytes.size() - 128)] = static_cast<char>(random());
    if (round % 3 == 0) bytes.resize(128 + random() % (bytes.size() - 128));
    try {
      for (const auto& [name, read] : sr::parse_mat(bytes)) CHECK(read.texts.size() <= bytes.size());
    } catch (const sr::Error&) {
    }
  }
}
