#include <cstring>
#include <memory>
#include <vector>
#include <zlib.h>

#include "weights/zip_archive.h"
#include "weights_testing.h"

namespace sr::testing {
namespace {

SharedBytes in_memory(const std::string& bytes) {
  const auto buffer = std::make_shared<std::vector<char>>(bytes.begin(), bytes.end());
  return {buffer, *buffer};
}

template <class Number>
std::string raw(Number value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// One stored entry, with sizes and offsets that a test may falsify.
struct Made {
  std::string name = "a/b";
  std::string data = "hello";
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint32_t size = 5;
  std::uint32_t packed = 5;
  std::uint32_t header = 0;
  std::string extra = {};
  std::uint32_t directory_offset = 0;  ///< added to the right one
  int entries = 1;                     ///< the same again

  std::string local() const {
    return "PK\x03\x04" + std::string(22, '\0') + raw(static_cast<std::uint16_t>(name.size())) +
           raw(std::uint16_t{0}) + name + data;
  }
  std::string central() const {
    return "PK\x01\x02" + std::string(4, '\0') + raw(flags) + raw(method) + std::string(8, '\0') +
           raw(packed) + raw(size) + raw(static_cast<std::uint16_t>(name.size())) +
           raw(static_cast<std::uint16_t>(extra.size())) + std::string(10, '\0') + raw(header) + name + extra;
  }
  std::string file() const {
    std::string directory;
    for (int i = 0; i < entries; ++i) directory += central();
    return local() + directory + "PK\x05\x06" + std::string(8, '\0') +
           raw(static_cast<std::uint32_t>(directory.size())) +
           raw(static_cast<std::uint32_t>(local().size()) + directory_offset) + std::string("\0\0", 2);
  }
};

std::string error_for(const Made& made) {
  return error_of([&] { ZipArchive(in_memory(made.file())).read(made.name); });
}

TEST_CASE("stored entries are views, deflated ones are inflated") {
  const SharedBytes file = in_memory(Made().file());
  const SharedBytes entry = ZipArchive(file).read("a/b");
  CHECK(entry.text() == "hello");
  CHECK(entry.bytes.data() > file.bytes.data());
  CHECK(entry.bytes.data() < file.bytes.data() + file.bytes.size());
  const SharedBytes stored = map_file(fixture("every_type_zip.pth"));
  const SharedBytes packed = map_file(fixture("every_type_deflated.pth"));
  const ZipArchive plain(stored);
  const ZipArchive deflated(packed);
  CHECK(plain.entries().size() == deflated.entries().size());
  for (const auto& [name, size] : plain.entries())
    CHECK(plain.read(name).text() == deflated.read(name).text());
}

TEST_CASE("sizes and offsets of more than 32 bits are in the extra field") {
  Made made;
  made.size = made.packed = made.header = 0xffffffff;
  made.extra = raw(std::uint16_t{7}) + raw(std::uint16_t{1}) + "x" + raw(std::uint16_t{1}) +
               raw(std::uint16_t{24}) + raw(std::uint64_t{5}) + raw(std::uint64_t{5}) + raw(std::uint64_t{0});
  CHECK(ZipArchive(in_memory(made.file())).read("a/b").text() == "hello");
  made.extra = raw(std::uint16_t{1}) + raw(std::uint16_t{8}) + raw(std::uint64_t{5});
  CHECK(contains(error_for(made), "too early"));
}

TEST_CASE("a 64-bit end of directory is followed") {
  const std::string local = Made().local();
  const std::string central = Made().central();
  const std::string end64 = "PK\x06\x06" + std::string(36, '\0') + raw(std::uint64_t{central.size()}) +
                            raw(std::uint64_t{local.size()});
  const std::string locator =
      "PK\x06\x07" + std::string(4, '\0') + raw(std::uint64_t{local.size() + central.size()}) + raw(1);
  const std::string end =
      "PK\x05\x06" + std::string(8, '\xff') + std::string(8, '\xff') + std::string(2, '\0');
  CHECK(ZipArchive(in_memory(local + central + end64 + locator + end)).read("a/b").text() == "hello");
}

TEST_CASE("archives that contradict themselves are refused") {
  CHECK(contains(error_of([] { ZipArchive(in_memory("")); }), "no end"));
  CHECK(contains(error_for({.flags = 1}), "encrypted"));
  CHECK(contains(error_for({.method = 99}), "compression method 99"));
  CHECK(contains(error_for({.size = 6}), "larger than can be"));
  CHECK(contains(error_for({.size = 5000, .packed = 5000}), "larger than can be"));
  CHECK(contains(error_for({.method = 8, .size = 4000000000}), "larger than can be"));
  CHECK(contains(error_for({.method = 8}), "damaged"));
  CHECK(contains(error_for({.header = 3}), "something other"));
  CHECK(contains(error_for({.header = 3000000000}), "beyond"));
  CHECK(contains(error_for({.directory_offset = 1}), "broken directory"));
  CHECK(contains(error_for({.directory_offset = 99}), "beyond"));
  CHECK(contains(error_for({.entries = 2}), "two entries"));
  CHECK(contains(error_of([] { ZipArchive(in_memory(Made().file())).read("c"); }), "no entry 'c'"));
}

}  // namespace
}  // namespace sr::testing
