#include <cstdlib>
#include <fmt/format.h>
#include <set>

#include "weights/catalogue.h"
#include "weights/weights_finder.h"
#include "weights_testing.h"

namespace sr::testing {
namespace {

constexpr const char* header = "name\tfile\turl\tbytes\tsha256\tlicence\twhat\tuse\n";

fs::path source_folder() { return fs::path(__FILE__).parent_path().parent_path().parent_path(); }
Catalogue own_catalogue() { return Catalogue::read(source_folder() / "share" / "catalogue.tsv"); }

/// Sets a variable, and puts back what it was.
class Environment {
 public:
  Environment(std::string name, const std::optional<fs::path>& value) : name_(std::move(name)) {
    if (const char* old = std::getenv(name_.c_str())) old_ = old;
    set(value ? std::optional(value->string()) : std::nullopt);
  }
  ~Environment() { set(old_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  void set(const std::optional<std::string>& value) const {
    value ? ::setenv(name_.c_str(), value->c_str(), 1) : ::unsetenv(name_.c_str());
  }

  std::string name_;
  std::optional<std::string> old_;
};

TEST_CASE("the project's catalogue is whole") {
  const Catalogue catalogue = own_catalogue();
  CHECK(catalogue.entries().size() >= 50);
  const std::set<std::string> uses{"network", "discriminator", "features", "clip",
                                   "measure", "tagger",        "tags",     "diffusion"};
  std::set<std::string> files;
  for (const CatalogueEntry& entry : catalogue.entries()) {
    CAPTURE(entry.name);
    CHECK(files.insert(entry.file.filename().string()).second);
    CHECK((entry.url.empty() || entry.url.starts_with("https://") || entry.url.starts_with("page:https://")));
    CHECK((entry.sha256.empty() || entry.sha256.size() == 64 || entry.sha256.size() == 8));
    CHECK_FALSE(entry.licence.empty());
    CHECK_FALSE(entry.what.empty());
    CHECK(uses.contains(entry.use));
  }
}

TEST_CASE("entries are found by name, by file and by stem") {
  const Catalogue catalogue = own_catalogue();
  const auto entry = catalogue.find("RealESRGAN_x4plus");
  REQUIRE(entry);
  CHECK(entry->bytes == 67040989);
  CHECK(entry->sha256 == "4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1");
  CHECK(entry->licence == "BSD-3-Clause");
  CHECK(catalogue.find("003_realSR_BSRGAN_DFO_s64w8_SwinIR-M_x4_GAN.pth")->name == "SwinIR-M-x4-real");
  CHECK(catalogue.find("vgg16-397923af")->name == "vgg16");
  CHECK_FALSE(catalogue.find("nonsense"));
  CHECK_FALSE(catalogue.find(""));
  CHECK_FALSE(catalogue.find("RealESRNet_x4plus")->bytes);
}

TEST_CASE("near names are suggested") {
  const Catalogue catalogue = own_catalogue();
  CHECK(catalogue.similar("realesrgan_X4plus").front() == "RealESRGAN_x4plus");
  CHECK(catalogue.similar("compact-x2").front() == "compact-x4");
  CHECK(catalogue.similar("swinir").size() == 3);
  CHECK(catalogue.similar("an entirely different thing").empty());
}

TEST_CASE("a malformed catalogue is an error that names file and line") {
  const ScratchFolder folder;
  const auto error = [&](const std::string& text) {
    return error_of([&] { Catalogue::read(folder.write("c.tsv", text)); });
  };
  CHECK(contains(error("name\tfile\n"), "c.tsv: its header line"));
  CHECK(contains(error(std::string(header) + "a\tb\n"), "line 2 has 2 fields"));
  CHECK(contains(error(std::string(header) + "a\tb\t-\tmany\t-\t-\t-\tx\n"), "'many' is no number"));
  CHECK(contains(error(std::string(header) + "a\tb\t-\t1\tXYZ\t-\t-\tx\n"), "'XYZ' is no SHA-256"));
  CHECK(contains(error(std::string(header) + "-\tb\t-\t1\t-\t-\t-\tx\n"), "lacks its name"));
  const std::string row = "a\tb\t-\t1\t-\t-\t-\tx\n";
  CHECK(contains(error(header + row + row), "line 3 has a name that came before"));
  CHECK(contains(error_of([] { Catalogue::read("/no/such.tsv"); }), "/no/such.tsv: No such file"));
}

TEST_CASE("weights are looked for in their order") {
  const ScratchFolder scratch;
  const fs::path root = scratch.path();
  const Environment variable("SR_WEIGHTS", root / "variable");
  const Environment data("XDG_DATA_HOME", root / "data");
  const WeightsFinder finder(own_catalogue(), root / "share", root / "option");
  const std::vector<fs::path> folders{root / "option", root / "variable", root / "data/sr-tools/weights",
                                      root / "share/weights", root / "share/models"};
  CHECK(finder.folders() == folders);
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
    const fs::path file = scratch.write((fs::relative(*folder, root) / "BSRGAN.pth").string(), "x");
    CHECK(finder.find("BSRGAN") == file);
  }
  const fs::path twin = scratch.write("option/RRDB.safetensors", "x");
  CHECK(finder.find("KAIR-RRDB") == twin);
  CHECK(finder.find(twin.string()) == twin);
}

TEST_CASE("a missing model says where it was looked for and how to get it") {
  const ScratchFolder scratch;
  const Environment variable("SR_WEIGHTS", std::nullopt);
  const Environment data("XDG_DATA_HOME", std::nullopt);
  const Environment home("HOME", scratch.path());
  const WeightsFinder finder(own_catalogue(), scratch.path() / "share");
  const std::string missing = error_of([&] { finder.find("BSRGAN"); });
  CHECK(contains(missing, "no BSRGAN.pth in " + (scratch.path() / ".local/share/sr-tools/weights").string()));
  CHECK(contains(missing, (scratch.path() / "share/models").string()));
  const auto fetcher = [&](const char* folder) {
    return "`" + (scratch.path() / folder / "fetch-weights").string() + " BSRGAN`";
  };
  CHECK(contains(missing, fetcher("scripts")));
  scratch.write("share/scripts/fetch-weights", "#!/bin/sh\n");
  const WeightsFinder installed(own_catalogue(), scratch.path() / "share");
  CHECK(contains(error_of([&] { installed.find("BSRGAN"); }), fetcher("share/scripts")));
  CHECK_THROWS_AS(finder.find("BSRGAN"), UsageError);
  CHECK(contains(error_of([&] { finder.find("BSRGAN2"); }), "did you mean BSRGAN"));
  CHECK(contains(error_of([&] { finder.find("no/such\nfile.pth"); }), "no/such\\nfile.pth: neither a file"));
  CHECK_THROWS_AS(finder.find("/tmp"), UsageError);
}

/// Runs scripts/fetch-weights on a catalogue of its own; answers its exit status.
int fetch(const fs::path& folder, const std::string& arguments) {
  const std::string command = fmt::format("sh '{}' --catalogue '{}' --dir '{}' {} 2>/dev/null",
                                          (source_folder() / "scripts" / "fetch-weights").string(),
                                          (folder / "c.tsv").string(), (folder / "to").string(), arguments);
  return WEXITSTATUS(std::system(command.c_str()));
}

TEST_CASE("fetch-weights downloads, resumes and verifies") {
  if (std::system("command -v curl >/dev/null") != 0) return;
  const ScratchFolder folder;
  const fs::path source = folder.write("source", "abc");
  const std::string url = "file://" + source.string();
  const std::string hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  const auto row = [&url](const std::string& name, const std::string& known) {
    return fmt::format("{0}\t{0}.pth\t{1}\t3\t{2}\tMIT\tx\n", name, url, known);
  };
  folder.write("c.tsv", header + row("good", hash) + row("bad", std::string(64, '0')) + row("unknown", "-") +
                            row("prefix", hash.substr(0, 8)));
  folder.write("to/good.pth.part", "a");
  CHECK(fetch(folder.path(), "good prefix") == 0);
  CHECK(read_file(folder.path() / "to/good.pth") == "abc");
  CHECK(fetch(folder.path(), "good") == 0);
  CHECK(fetch(folder.path(), "bad") == 1);
  CHECK(fetch(folder.path(), "unknown") == 1);
  CHECK(fetch(folder.path(), "--unverified unknown") == 0);
  CHECK(fetch(folder.path(), "nonsense") == 2);
  CHECK_FALSE(fs::exists(folder.path() / "to/bad.pth"));
  CHECK_FALSE(fs::exists(folder.path() / "to/bad.pth.part"));
}

}  // namespace
}  // namespace sr::testing
