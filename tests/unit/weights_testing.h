#pragma once
// What the tests of the weights floor share.

#include <ATen/ATen.h>  // before doctest: it may bring glog, and the CHECK of doctest must be the last one
#include <doctest.h>
#include <fstream>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "core/torch.h"

namespace sr::testing {

/// A file of tests/data/weights.
inline fs::path fixture(const std::string& name) {
  return fs::path(__FILE__).parent_path().parent_path() / "data" / "weights" / name;
}

/// A folder that goes away with the object.
class ScratchFolder {
 public:
  ScratchFolder() : path_(fs::temp_directory_path() / fs::unique_path("sr-weights-%%%%%%%%")) {
    fs::create_directories(path_);
  }
  ~ScratchFolder() {
    boost::system::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const fs::path& path() const { return path_; }

  fs::path write(const std::string& name, std::string_view bytes) const {
    const fs::path file = path_ / name;
    fs::create_directories(file.parent_path());
    std::ofstream out(file.string(), std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return file;
  }

 private:
  fs::path path_;
};

/// What an action's Error says; fails the test where it throws nothing.
template <class Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const Error& problem) {
    return problem.what();
  }
  FAIL_CHECK("no error");
  return {};
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// 0, 1/4, 2/4, ...: what make_fixtures.py fills tensors with.
inline Tensor counted(at::IntArrayRef sizes, at::ScalarType type = at::kFloat) {
  return (at::arange(c10::multiply_integers(sizes), at::kFloat) / 4).reshape(sizes).to(type);
}

inline bool same(const Tensor& left, const Tensor& right) {
  return left.scalar_type() == right.scalar_type() && at::equal(left, right);
}

}  // namespace sr::testing
