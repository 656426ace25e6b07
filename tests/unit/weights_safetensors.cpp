#include <cstring>
#include <limits>

#include "weights/safetensors.h"
#include "weights_testing.h"

namespace sr::testing {
namespace {

std::string safetensors(const std::string& header, const std::string& data) {
  std::string file(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  return file + header + data;
}

std::string error_for(const std::string& header, const std::string& data = std::string(16, '\0')) {
  const ScratchFolder folder;
  const fs::path file = folder.write("bad.safetensors", safetensors(header, data));
  const std::string error = error_of([&] { read_safetensors(file); });
  CHECK(contains(error, file.string()));
  return error;
}

std::string row(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

TEST_CASE("a safetensors file that another program wrote") {
  const Safetensors read = read_safetensors(fixture("plain.safetensors"));
  CHECK(read.metadata == std::map<std::string, std::string>{{"format", "pt"}, {"scale", "4"}});
  CHECK(read.tensors.size() == 6);
  CHECK(same(read.tensors.at("f32"), counted({2, 2})));
  CHECK(same(read.tensors.at("bf16"), at::tensor({1.F, -2.F}).to(at::kBFloat16)));
  CHECK(same(read.tensors.at("flags"), at::tensor({1, 0, 1}).to(at::kBool)));
  CHECK(same(read.tensors.at("unaligned"), at::tensor({7, -7})));
  CHECK(same(read.tensors.at("none"), at::zeros({0, 4}, at::kHalf)));
  CHECK(same(read.tensors.at("one"), at::scalar_tensor(2.5, at::kDouble)));
}

StateDict one_of_each_type() {
  StateDict tensors{{"a bool", at::tensor({1, 0, 1}).to(at::kBool)}, {"transposed", counted({3, 4}).t()}};
  for (const auto type : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort,
                          at::kChar, at::kByte}) {
    tensors[std::string("\"quoted\" \xc3\xa9 ") + c10::toString(type)] = counted({5, 3}).to(type);
  }
  tensors["scalar"] = at::scalar_tensor(-0.F);
  tensors["empty"] = at::zeros({3, 0, 2});
  tensors["extremes"] =
      at::tensor({std::numeric_limits<float>::infinity(), std::numeric_limits<float>::denorm_min()});
  return tensors;
}

TEST_CASE("what is written reads back equal, aligned, and the same bytes again") {
  const ScratchFolder folder;
  const fs::path file = folder.path() / "written.safetensors";
  const StateDict tensors = one_of_each_type();
  write_safetensors(file, tensors, {{"note", "tab\tand \"quotes\""}});
  const Safetensors read = read_safetensors(file);
  CHECK(read.metadata.at("note") == "tab\tand \"quotes\"");
  CHECK(read.tensors.size() == tensors.size());
  for (const auto& [name, tensor] : tensors) {
    CAPTURE(name);
    CHECK(same(read.tensors.at(name), tensor));
  }
  const std::string bytes = read_file(file);
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  CHECK(header % 8 == 0);
  write_safetensors(file, read.tensors, read.metadata);  // onto the file that the tensors view
  CHECK(read_file(file) == bytes);
}

TEST_CASE("a failed write leaves nothing behind and the old file whole") {
  const ScratchFolder folder;
  const fs::path file = folder.write("kept.safetensors", "old");
  CHECK(contains(error_of([&] {
                   write_safetensors(file, {{"__metadata__", counted({1})}});
                 }),
                 "__metadata__"));
  CHECK(contains(error_of([&] { write_safetensors(file, {{"\xff\xfe", counted({1})}}); }), "names"));
  const StateDict complex{{"c", at::zeros({1}, at::kComplexFloat)}};
  CHECK(contains(error_of([&] { write_safetensors(file, complex); }), "ComplexFloat"));
  CHECK(read_file(file) == "old");
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("truth values other than 0 and 1 become true") {
  const ScratchFolder folder;
  const auto file = folder.write(
      "b", safetensors("{\"b\":" + row("BOOL", "[3]", "[0,3]") + "}", std::string("\x02\x00\xff", 3)));
  CHECK(same(read_safetensors(file).tensors.at("b"), at::tensor({1, 0, 1}).to(at::kBool)));
}

TEST_CASE("hostile safetensors headers are refused") {
  const ScratchFolder folder;
  const auto endless = folder.write("long", std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10));
  CHECK(contains(error_of([&] { read_safetensors(endless); }), "header of"));
  CHECK(contains(error_of([&] { read_safetensors(folder.write("short", "abc")); }), "3 bytes"));
  CHECK(contains(error_for("{nonsense"), "no JSON"));
  CHECK(contains(error_for("[1]"), "no JSON object"));
  CHECK(contains(error_for(std::string(5000, '[')), "nested too deep"));
  const std::string good = row("F32", "[4]", "[0,16]");
  CHECK(contains(error_for("{\"a\":" + good + ",\"a\":" + good + "}"), "twice"));
  CHECK(contains(error_for("{\"a\":" + good + ",\"b\":" + good + "}"), "overlaps"));
  CHECK(contains(error_for("{\"a\":" + good + ",\"b\":3}"), "tensor 'b'"));
  CHECK(contains(error_for(R"({"__metadata__":{"a":1}})", ""), "metadata 'a'"));
}

TEST_CASE("tensors that do not fit their file are refused") {
  const auto error = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return error_for("{\"a\":" + row(dtype, shape, offsets) + "}");
  };
  CHECK(contains(error("F32", "[5]", "[0,20]"), "ends at byte 20 of 16"));
  CHECK(contains(error("F32", "[3]", "[0,16]"), "shape makes 12"));
  CHECK(contains(error("F32", "[4]", "[16,0]"), "out of order"));
  CHECK(contains(error("F32", "[4]", "[0]"), "out of order"));
  CHECK(contains(error("F32", "[-4]", "[0,16]"), "whole numbers"));
  CHECK(contains(error("F32", "[4.0]", "[0,16]"), "whole numbers"));
  CHECK(contains(error("F32", "[4294967296,4294967297]", "[0,16]"), "overflow"));
  CHECK(contains(error("F32", "[0,9223372036854775807,9]", "[0,0]"), "overflow"));
  CHECK(contains(error("F32", "[18446744073709551615]", "[0,16]"), "whole numbers"));
  CHECK(contains(error("F8_E4M3", "[16]", "[0,16]"), "'F8_E4M3' is not supported"));
  CHECK(contains(error("F32", "[2]", "[8,16]"), "gap"));
  CHECK(contains(error("F32", "[2]", "[0,8]"), "8 bytes follow"));
}

}  // namespace
}  // namespace sr::testing
