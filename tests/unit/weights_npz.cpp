#include <memory>
#include <vector>
#include <zlib.h>

#include "weights/checkpoint.h"
#include "weights/npz.h"
#include "weights_testing.h"

namespace sr::testing {
namespace {

template <class Number>
std::string raw(Number value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <class Number>
std::string raw_list(const std::vector<Number>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Number)};
}

/// A .npy member of version 1.0.
std::string npy(const std::string& header, const std::string& elements) {
  return std::string("\x93NUMPY\1\0", 8) + raw(static_cast<std::uint16_t>(header.size())) + header + elements;
}

std::string dictionary(const std::string& descr, const std::string& order, const std::string& shape) {
  return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

std::string deflated(const std::string& plain) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(plain.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

/// An archive of one member.
std::string archive(const std::string& member, bool pack = false, const std::string& name = "a.npy") {
  const std::string data = pack ? deflated(member) : member;
  const auto crc =
      static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(member.data()), member.size()));
  const std::string what = raw(std::uint16_t{20}) + raw(std::uint16_t{0}) +
                           raw(static_cast<std::uint16_t>(pack ? 8 : 0)) + std::string(4, '\0') + raw(crc) +
                           raw(static_cast<std::uint32_t>(data.size())) +
                           raw(static_cast<std::uint32_t>(member.size())) +
                           raw(static_cast<std::uint16_t>(name.size())) + raw(std::uint16_t{0});
  const std::string local = "PK\3\4" + what + name + data;
  const std::string directory =
      std::string("PK\1\2") + raw(std::uint16_t{20}) + what + std::string(14, '\0') + name;
  return local + directory + "PK\5\6" + std::string(4, '\0') + raw(std::uint16_t{1}) + raw(std::uint16_t{1}) +
         raw(static_cast<std::uint32_t>(directory.size())) + raw(static_cast<std::uint32_t>(local.size())) +
         raw(std::uint16_t{0});
}

SharedBytes in_memory(const std::string& bytes) {
  const auto buffer = std::make_shared<std::vector<char>>(bytes.begin(), bytes.end());
  return {buffer, *buffer};
}

Tensor array(const std::string& member, bool pack = false) {
  return read_npz(in_memory(archive(member, pack))).at("a");
}

std::string error_for(const std::string& member) {
  return error_of([&] { array(member); });
}

TEST_CASE("arrays of .npz files have NumPy's types, shapes and order") {
  const std::string floats = raw_list<float>({1, 2, 3, 4, 5, 6});
  const Tensor rows = torch::tensor({{1.f, 2.f, 3.f}, {4.f, 5.f, 6.f}});
  for (const bool pack : {false, true}) {
    CHECK(same(array(npy(dictionary("'<f4'", "False", "(2, 3)"), floats), pack), rows));
    const Tensor columns = array(npy(dictionary("'<f4'", "True", "(3, 2)"), floats), pack);
    CHECK(same(columns, rows.t().contiguous()));
    CHECK(columns.is_contiguous());
  }
  CHECK(same(array(npy(dictionary("'<f8'", "False", "()"), raw(2.5))), torch::tensor(2.5, at::kDouble)));
  CHECK(same(array(npy(dictionary("'<f8'", "False", "(0,)"), "")), torch::zeros({0}, at::kDouble)));
  CHECK(
      same(array(npy(dictionary("'|u1'", "False", "(2L,)"), "\1\xff")), torch::tensor({1, 255}, at::kByte)));
  CHECK(same(array(npy(dictionary("'<i8'", "False", "(1,)"), raw(std::int64_t{-7}))), torch::tensor({-7L})));
  CHECK(same(array(npy(dictionary("'<f2'", "False", "(1,)"), raw(std::uint16_t{0x3e00}))),
             torch::tensor({1.5f}).to(at::kHalf)));
  CHECK(same(array(npy(dictionary("'|b1'", "False", "(2,)"), std::string("\1\0", 2))),
             torch::tensor({true, false})));
}

TEST_CASE("unsigned integers keep their values") {
  CHECK(same(array(npy(dictionary("'<u2'", "False", "(2,)"), raw_list<std::uint16_t>({5, 65535}))),
             torch::tensor({5, 65535}, at::kInt)));
  CHECK(same(array(npy(dictionary("'<u4'", "False", "(2,)"), raw_list<std::uint32_t>({5, 4294967295}))),
             torch::tensor({5L, 4294967295L})));
  CHECK(same(array(npy(dictionary("'<u8'", "False", "(1,)"), raw(std::uint64_t{9}))), torch::tensor({9L})));
  CHECK(contains(error_for(npy(dictionary("'<u8'", "False", "(1,)"), raw(~std::uint64_t{0}))), "2^63"));
}

TEST_CASE("headers of later versions and other quotes are read") {
  const std::string header = "{\"shape\":(1,),\"fortran_order\":False,\"descr\":\"<f4\"}";
  for (const char version : {'\2', '\3'}) {
    const std::string member = std::string("\x93NUMPY") + version + '\0' +
                               raw(static_cast<std::uint32_t>(header.size())) + header + raw(8.f);
    CHECK(same(array(member), torch::tensor({8.f})));
  }
}

TEST_CASE("what is no array of numbers is refused in a sentence that names it") {
  const std::string eight(8, '\0');
  CHECK(contains(error_for(npy(dictionary("'|O'", "False", "(1,)"), eight)), "array 'a' holds no numbers"));
  CHECK(contains(error_for(npy(dictionary("'<U2'", "False", "(1,)"), eight)), "'<U2'"));
  CHECK(contains(error_for(npy(dictionary("'>f8'", "False", "(1,)"), eight)), "big-endian"));
  CHECK(contains(error_for(npy(dictionary("'<f16'", "False", "(1,)"), eight + eight)), "'<f16'"));
  CHECK(contains(error_for(npy(dictionary("''", "False", "(1,)"), eight)), "no numbers"));
  CHECK(contains(error_for(npy(dictionary("[('x', '<f8')]", "False", "(1,)"), eight)), "records"));
  CHECK(contains(error_for(npy(dictionary("'<f8'", "False", "(2,)"), eight)),
                 "8 bytes but its shape makes 16"));
  CHECK(contains(error_for(npy(dictionary("'<f8'", "False", "(1,)"), eight + "x")), "9 bytes"));
  CHECK(contains(error_for(npy(dictionary("'<f8'", "False", "(-1,)"), eight)), "negative"));
  const std::string huge = "(4611686018427387904, 4)";
  CHECK(contains(error_for(npy(dictionary("'<f8'", "False", huge), eight)), "overflow"));
  CHECK(contains(error_for("\x93NUMPX\1\0"), "no .npy member"));
  CHECK(contains(error_for(std::string("\x93NUMPY\7\0\0\0", 10)), "version 7"));
  CHECK(contains(error_for(std::string("\x93NUMPY\1\0\xff\xff", 10)), "too early"));
}

TEST_CASE("broken headers are refused") {
  for (const std::string header :
       {"", "{", "{}", "}", "{'descr'", "{'descr': '<f8'}", "{'descr': '<f8', 'shape': (1,)}",
        "{'descr': '<f8', 'fortran_order': Maybe, 'shape': (1,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (x,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1"}) {
    CHECK(contains(error_for(npy(header, std::string(8, '\0'))), "none of NumPy's"));
  }
}

TEST_CASE("any prefix of a .npz file and any changed byte of an array is an error") {
  const std::string sound = archive(npy(dictionary("'<f8'", "False", "(2,)"), raw_list<double>({1, 2})));
  const std::size_t needed = sound.size() - 2;  // the length of a comment comes last
  for (std::size_t length = 0; length < needed; ++length) {
    CHECK_THROWS_AS(read_npz(in_memory(sound.substr(0, length))), Error);
  }
  const std::size_t begin = 30 + 5, end = sound.find("PK\1\2");
  for (std::size_t i = begin; i < end; ++i) {
    std::string broken = sound;
    broken[i] ^= 0x10;
    CHECK(contains(error_of([&] { read_npz(in_memory(broken)); }), "CRC"));
  }
}

TEST_CASE("what is written is read back, the same bytes every time") {
  const ScratchFolder folder;
  const StateDict arrays = {{"mu", counted({5}, at::kDouble)},       {"sigma", counted({4, 3}).t()},
                            {"half", counted({2, 1, 3}, at::kHalf)}, {"truth", torch::tensor({true, false})},
                            {"bytes", counted({7}, at::kByte)},      {"one", torch::tensor(3L)},
                            {"none", torch::zeros({0, 2})},          {"\xc3\xa4", counted({1}, at::kInt)}};
  const fs::path first = folder.path() / "first.npz", second = folder.path() / "second.npz";
  write_npz(first, arrays);
  write_npz(second, arrays);
  const StateDict found = read_npz(first);
  REQUIRE(found.size() == arrays.size());
  for (const auto& [name, tensor] : arrays) CHECK(same(found.at(name), tensor));
  CHECK(map_file(first).text() == map_file(second).text());
  CHECK(read_npz(first, {"mu", "absent"}).size() == 1);
  CHECK(contains(error_of([&] { write_npz(first, {{"a", counted({1}, at::kBFloat16)}}); }), "BFloat16"));
  CHECK(read_npz(first).size() == arrays.size());
}

TEST_CASE("load_checkpoint reads .npz files, and tells them from PyTorch's") {
  const ScratchFolder folder;
  write_npz(folder.path() / "niqe.npz", {{"mu_pris_param", counted({1, 36}, at::kDouble)}});
  CHECK(same(load_checkpoint(folder.path() / "niqe.npz").at("mu_pris_param"), counted({1, 36}, at::kDouble)));
  CHECK_FALSE(is_npz(map_file(fixture("every_type_zip.pth"))));
  const fs::path torn = folder.write("torn.npz", archive(npy("{}", "")));
  CHECK(contains(error_of([&] { load_checkpoint(torn); }), "torn.npz: array 'a'"));
}

}  // namespace
}  // namespace sr::testing
