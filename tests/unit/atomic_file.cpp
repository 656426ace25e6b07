#include "core/atomic_file.h"

#include <doctest.h>
#include <fstream>

#include "core/error.h"

namespace {

struct Folder {
  sr::fs::path path = sr::fs::temp_directory_path() / sr::fs::unique_path("sr-test-%%%%%%%%");
  Folder() { sr::fs::create_directory(path); }
  ~Folder() { sr::fs::remove_all(path); }
  long files() const { return std::distance(sr::fs::directory_iterator(path), sr::fs::directory_iterator()); }
};

void write(const sr::fs::path& path, const std::string& text) { std::ofstream(path.string()) << text; }

}  // namespace

TEST_CASE("a file appears when it is committed, and not before") {
  const Folder folder;
  const auto target = folder.path / "out.png";
  {
    sr::AtomicFile file(target);
    CHECK(file.path().extension() == ".png");
    write(file.path(), "new");
    CHECK_FALSE(sr::fs::exists(target));
    file.commit();
  }
  CHECK(sr::read_file(target) == "new");
  CHECK(folder.files() == 1);
}

TEST_CASE("without a commit everything is as it was") {
  const Folder folder;
  const auto target = folder.path / "out.png";
  write(target, "old");
  {
    const sr::AtomicFile file(target);
    write(file.path(), "half");
  }
  CHECK(sr::read_file(target) == "old");
  CHECK(folder.files() == 1);
}

TEST_CASE("reasons are the system's") {
  const Folder folder;
  CHECK_THROWS_WITH_AS(sr::AtomicFile(folder.path), (folder.path.string() + ": Is a directory").c_str(),
                       sr::Error);
  CHECK_THROWS_AS(sr::AtomicFile(folder.path / "no/such/folder.png"), sr::Error);
  CHECK_THROWS_AS(sr::read_file(folder.path / "nothing"), sr::Error);
}

TEST_CASE("names on one line") {
  CHECK(sr::printable("a\nb\tc\x01 \xc3\xb6") == "a\\nb\\tc\\x01 \xc3\xb6");
  CHECK(sr::split("a|b||c", '|') == std::vector<std::string>{"a", "b", "", "c"});
  CHECK(sr::parse_number("12", 0, 20) == 12);
  for (const auto* text : {"", "x", "12x", "21", "-1", "99999999999999999999"}) {
    CHECK_FALSE(sr::parse_number(text, 0, 20).has_value());
  }
}
