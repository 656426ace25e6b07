#include "weights/checkpoint.h"

#include <algorithm>
#include <fmt/format.h>
#include <string>
#include <string_view>

#include "core/error.h"
#include "weights/mapped_file.h"
#include "weights/mat_tensors.h"
#include "weights/npz.h"
#include "weights/parameter_tree.h"
#include "weights/pickle.h"
#include "weights/safetensors.h"
#include "weights/torch_pickle.h"
#include "weights/torch_zip.h"

namespace sr {
namespace {

bool is_text(std::string_view start) {
  return std::ranges::all_of(start, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 || c == '\n' || c == '\r' || c == '\t' || c == '\f';
  });
}

bool starts_html(std::string_view start) {
  const std::size_t first = start.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  return first != std::string_view::npos && start[first] == '<';
}

/// Protocols 0 and 1 have no first bytes of their own: a text is one of those if it can be read as one.
bool is_text_pickle(std::string_view file) {
  constexpr std::string_view openings = "(]}cdl";
  if (openings.find(file.front()) == std::string_view::npos) return false;
  try {
    pickle::read(file);
    return true;
  } catch (const Error&) {
    return false;
  }
}

[[noreturn]] void refuse(std::string_view file) {
  const std::string_view start = file.substr(0, 512);
  if (start.starts_with("version https://git-lfs")) {
    throw Error("this is a Git LFS pointer, not the weights themselves (git lfs pull fetches them)");
  }
  if (starts_html(start)) throw Error("this is a web page, not weights: the download failed");
  if (is_text(start))
    throw Error("this is a text file, not weights: the download failed, or this is another file");
  std::string bytes;
  for (const char c : file.substr(0, 8)) bytes += fmt::format(" {:02x}", static_cast<unsigned char>(c));
  throw Error(fmt::format("this is no checkpoint of a known kind: it starts with{}", bytes));
}

/// The header's length, of which no file needs the upper half, and the header's first character.
bool is_safetensors(std::string_view file) {
  return file.size() > 8 && file.substr(4, 4) == std::string_view("\0\0\0\0", 4) && file[8] == '{';
}

}  // namespace

StateDict read_checkpoint(const SharedBytes& file) {
  const std::string_view bytes = file.text();
  if (bytes.empty()) throw Error("the file is empty");
  if (is_safetensors(bytes)) return strip_prefixes(read_safetensors(file).tensors);
  if (is_npz(file)) return read_npz(file);
  if (is_mat(file)) return read_mat_tensors(file);
  if (bytes.starts_with("PK\x03\x04")) return read_torch_zip(file);
  if (bytes[0] == '\x80' || is_text_pickle(bytes)) return read_torch_pickle(file);
  refuse(bytes);
}

StateDict load_checkpoint(const fs::path& path) {
  const SharedBytes file = map_file(path);
  return naming(printable(path.string()), [&] { return read_checkpoint(file); });
}

}  // namespace sr
