#include <algorithm>
#include <cstdlib>
#include <vector>

#include "weights/checkpoint.h"
#include "weights/safetensors.h"
#include "weights_testing.h"

namespace sr::testing {
namespace {

std::vector<std::string> names_of(const StateDict& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}

template <class T>
Tensor list(std::initializer_list<T> values) {
  return at::tensor(at::ArrayRef<T>(values));
}

void check_every_type(const StateDict& found) {
  CHECK(found.size() == 18);
  CHECK(same(found.at("conv.weight"), counted({2, 3, 3, 3})));
  CHECK(same(found.at("conv.bias"), -counted({2})));
  CHECK(same(found.at("f64"), counted({3}, at::kDouble)));
  CHECK(same(found.at("f16"), counted({5}, at::kHalf)));
  CHECK(same(found.at("bf16"), counted({5}, at::kBFloat16)));
  CHECK(same(found.at("i64"), list<std::int64_t>({std::int64_t{1} << 40, -3})));
  CHECK(same(found.at("i32"), list<int>({1 << 30, -3})));
  CHECK(same(found.at("i16"), list<std::int16_t>({1 << 14, -3})));
  CHECK(same(found.at("i8"), list<std::int8_t>({127, -3, 5})));
  CHECK(same(found.at("u8"), list<std::uint8_t>({255, 3, 7})));
  CHECK(same(found.at("bool"), list<std::uint8_t>({1, 0, 1}).to(at::kBool)));
  CHECK(same(found.at("scalar"), at::scalar_tensor(2.5F)));
  CHECK(same(found.at("empty"), at::zeros({0, 3})));
  CHECK(same(found.at("expanded"), at::full({4}, 1.5F)));
  CHECK(same(found.at("parameter"), counted({2, 2})));
}

void check_views(const StateDict& found) {
  const Tensor base = counted({3, 4});
  CHECK(same(found.at("shared.base"), base));
  CHECK(same(found.at("shared.transposed"), base.t()));
  CHECK(same(found.at("shared.part"), base.slice(0, 1).slice(1, 0, 4, 2)));
  CHECK_FALSE(found.at("shared.transposed").is_contiguous());
  CHECK(found.at("shared.base").data_ptr() == found.at("shared.transposed").data_ptr());
}

/// The network of make_fixtures.py.
void check_network(const StateDict& found) {
  CHECK(same(found.at("conv1.weight"), counted({2, 3, 1, 1})));
  CHECK(same(found.at("conv1.bias"), -counted({2})));
  CHECK(same(found.at("blocks.1.norm.weight"), counted({2}) + 3));
  CHECK(same(found.at("blocks.0.norm.running_var"), at::ones({2})));
  CHECK(same(found.at("blocks.0.norm.num_batches_tracked"), at::scalar_tensor(0, at::kLong)));
  CHECK(same(found.at("blocks.1.table"), counted({4})));
  CHECK(found.size() == 14);
}

void check_body(const StateDict& found) {
  CHECK(names_of(found) == std::vector<std::string>{"body.0.bias", "body.0.weight"});
  CHECK(same(found.at("body.0.weight"), counted({2, 2})));
  CHECK(same(found.at("body.0.bias"), counted({2})));
}

TEST_CASE("every element type and view comes out of each of PyTorch's containers") {
  for (const char* name : {"every_type_zip.pth", "every_type_legacy.pth", "every_type_deflated.pth"}) {
    CAPTURE(name);
    const StateDict found = load_checkpoint(fixture(name));
    check_every_type(found);
    check_views(found);
  }
}

TEST_CASE("tensors outlive the call and can be written without touching the file") {
  const std::string before = read_file(fixture("params_ema.pth"));
  {
    StateDict found = load_checkpoint(fixture("params_ema.pth"));
    found.at("body.0.weight").fill_(9);
    CHECK(same(found.at("body.0.weight"), at::full({2, 2}, 9.F)));
  }
  CHECK(read_file(fixture("params_ema.pth")) == before);
}

TEST_CASE("wrappers and prefixes come off") {
  for (const char* name : {"params_ema.pth", "params_ema_none.pth", "lone_wrapper.pth",
                           "one_table_among_others.pth", "prefixed_average.pth", "prefixed_legacy.pth"}) {
    CAPTURE(name);
    check_body(load_checkpoint(fixture(name)));
  }
}

TEST_CASE("of nested wrappers each level's first name is taken") {
  check_body(load_checkpoint(fixture("nested.pth")));
}

TEST_CASE("several tables of tensors keep their names in front") {
  const StateDict found = load_checkpoint(fixture("two_tables.pth"));
  CHECK(found.size() == 4);
  CHECK(same(found.at("encoder.body.0.bias"), counted({2})));
  CHECK(same(found.at("decoder.body.0.bias"), counted({2}) + 100));
}

TEST_CASE("whole modules and TorchScript archives are walked") {
  check_network(load_checkpoint(fixture("module_zip.pth")));
  check_network(load_checkpoint(fixture("scripted.pt")));
  const StateDict half = load_checkpoint(fixture("scripted_half.pt"));
  CHECK(same(half.at("conv1.weight"), counted({2, 3, 1, 1}, at::kHalf)));
  const StateDict gain = load_checkpoint(fixture("module_legacy.pth"));
  CHECK(names_of(gain) == std::vector<std::string>{"gain"});
  CHECK(same(gain.at("gain"), counted({3})));
}

TEST_CASE("a training checkpoint gives the network, past options and optimizer") {
  const StateDict found = load_checkpoint(fixture("training.pth"));
  CHECK(found.size() == 14);
  CHECK(same(found.at("conv1.weight"), counted({2, 3, 1, 1})));
}

TEST_CASE("windows into storages, as PyTorch 0.3 wrote them") {
  const StateDict found = load_checkpoint(fixture("old_windows.pth"));
  CHECK(same(found.at("tail"), counted({12}).slice(0, 5, 8)));
  CHECK(same(found.at("head"), counted({12}).slice(0, 1, 3)));
}

TEST_CASE("NumPy arrays of every pickle protocol") {
  for (const char* name : {"arrays_protocol0.pkl", "arrays_protocol2.pkl", "arrays_protocol5.pkl"}) {
    CAPTURE(name);
    const StateDict found = load_checkpoint(fixture(name));
    CHECK(names_of(found) == std::vector<std::string>{"bytes", "columns", "rows"});
    CHECK(same(found.at("rows"), at::arange(6, at::kFloat).reshape({2, 3})));
    CHECK(same(found.at("columns"), at::arange(6, at::kDouble).reshape({2, 3})));
    CHECK(same(found.at("bytes"), list<std::uint8_t>({1, 200})));
  }
}

TEST_CASE("truth values of NumPy's are mended in the tensor, not in the file's bytes") {
  std::string bytes = read_file(fixture("arrays_protocol5.pkl"));
  bytes.replace(bytes.find("u1"), 2, "b1");
  const std::string before = bytes;
  CHECK(same(read_checkpoint({nullptr, bytes}).at("bytes"), at::ones({2}, at::kBool)));
  CHECK(bytes == before);
}

TEST_CASE("a pickle that calls commands is refused, by name, and runs nothing") {
  for (const char* name : {"evil.pth", "evil_inside.pth", "evil_legacy.pth"}) {
    CAPTURE(name);
    const std::string error = error_of([&] { load_checkpoint(fixture(name)); });
    CHECK(contains(error, name));
    CHECK(contains(error, ".system"));
  }
  CHECK_FALSE(fs::exists("/tmp/sr-tools-pickle-ran"));
}

std::string error_for(const std::string& bytes) {
  const ScratchFolder folder;
  return error_of([&] { load_checkpoint(folder.write("net\n.pth", bytes)); });
}

TEST_CASE("what is no checkpoint is told apart") {
  CHECK(contains(error_for(""), "net\\n.pth: the file is empty"));
  CHECK(contains(error_for("\n<!DOCTYPE html><html>Not found</html>"), "web page"));
  CHECK(contains(error_for("Not Found"), "text file"));
  CHECK(contains(error_for("{\"error\": \"no such model\"}"), "text file"));
  CHECK(contains(error_for("version https://git-lfs.github.com/spec/v1\noid"), "Git LFS pointer"));
  CHECK(contains(error_for("\x89PNG\r\n\x1a\n"), "starts with 89 50 4e 47"));
  CHECK(contains(error_for("PK\x03\x04 rest"), "unfinished download"));
  CHECK(contains(error_of([] { load_checkpoint("/no/such.pth"); }), "No such file"));
  CHECK(contains(error_of([] { load_checkpoint("/tmp"); }), "Is a directory"));
}

TEST_CASE("a file cut anywhere is an error that names it") {
  const ScratchFolder folder;
  for (const char* name : {"every_type_zip.pth", "every_type_legacy.pth", "plain.safetensors"}) {
    const std::string whole = read_file(fixture(name));
    for (std::size_t length = 1; length < whole.size(); length += 97) {
      CAPTURE(name);
      CAPTURE(length);
      const fs::path cut = folder.write("cut", whole.substr(0, length));
      CHECK(contains(error_of([&] { load_checkpoint(cut); }), cut.string()));
    }
  }
}

TEST_CASE("published weights are the same in both containers") {
  const char* shared = std::getenv("SR_SHARED");
  const fs::path folder = fs::path(shared ? shared : "/work/shared") / "data" / "realesrgan";
  for (const std::string name :
       {"realesr-animevideov3", "realesr-general-x4v3", "realesr-general-wdn-x4v3"}) {
    if (!fs::exists(folder / (name + ".pth"))) continue;
    CAPTURE(name);
    const StateDict pickled = load_checkpoint(folder / (name + ".pth"));
    const StateDict plain = load_checkpoint(folder / (name + ".safetensors"));
    CHECK(names_of(pickled) == names_of(plain));
    for (const auto& [key, tensor] : plain) CHECK(same(tensor, pickled.at(key)));
    CHECK(plain.count("body.0.weight") == 1);
  }
}

}  // namespace
}  // namespace sr::testing
