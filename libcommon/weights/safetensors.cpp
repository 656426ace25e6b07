#include "weights/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "core/atomic_file.h"
#include "core/error.h"
#include "weights/dtype.h"
#include "weights/mapped_file.h"
#include "weights/tensor_view.h"

namespace sr {
namespace {

using Json = nlohmann::json;

static_assert(std::endian::native == std::endian::little,
              "checkpoints are little-endian and viewed in place");

constexpr std::size_t kPrefixBytes = 8;                // the header's length
constexpr std::uint64_t kLongestHeader = 100'000'000;  // the reference implementation's limit
constexpr int kDeepestHeader = 3;                      // {name: {shape: [n]}}
constexpr std::string_view kMetadataKey = "__metadata__";

/// Where a tensor's bytes lie, counted from the end of the header.
struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string name;
};

// --- reading ---

std::uint64_t header_length(std::string_view file) {
  if (file.size() < kPrefixBytes) {
    throw Error(fmt::format("no safetensors file: {} bytes are less than its prefix", file.size()));
  }
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), kPrefixBytes);
  if (length > kLongestHeader || length > file.size() - kPrefixBytes) {
    throw Error(fmt::format("safetensors header of {} bytes in a file of {} (an unfinished download?)",
                            length, file.size()));
  }
  return length;
}

/// JSON lets keys repeat and parsers disagree which one counts, so a repeated one is refused.
class HeaderGuard {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    if (depth > kDeepestHeader) throw Error("safetensors header is nested too deep");
    if (event == Json::parse_event_t::object_start) keys_.emplace_back();
    if (event == Json::parse_event_t::object_end) keys_.pop_back();
    if (event == Json::parse_event_t::key) note(parsed.get_ref<const std::string&>());
    return true;
  }

 private:
  void note(const std::string& key) {
    if (keys_.back().insert(key).second) return;
    throw Error(fmt::format("safetensors header names '{}' twice", printable(key)));
  }

  std::vector<std::set<std::string>> keys_;
};

Json parse_header(std::string_view text) {
  HeaderGuard guard;
  const auto check = [&guard](int depth, Json::parse_event_t event, Json& parsed) {
    return guard(depth, event, parsed);
  };
  Json header;
  try {
    header = Json::parse(text.begin(), text.end(), check);
  } catch (const Json::exception& problem) {
    throw Error(fmt::format("safetensors header is no JSON: {}", printable(problem.what())));
  }
  if (!header.is_object()) throw Error("safetensors header is no JSON object");
  return header;
}

const Json& field(const Json& row, const char* name) {
  const auto found = row.is_object() ? row.find(name) : row.end();
  if (!row.is_object() || found == row.end()) throw Error(fmt::format("has no '{}'", name));
  return *found;
}

std::vector<std::int64_t> whole_numbers(const Json& list, const char* name) {
  if (!list.is_array()) throw Error(fmt::format("'{}' is no list", name));
  std::vector<std::int64_t> numbers;
  for (const Json& item : list) {
    if (!item.is_number_unsigned() || item.get<std::uint64_t>() > INT64_MAX) {
      throw Error(fmt::format("'{}' holds something other than whole numbers", name));
    }
    numbers.push_back(item.get<std::int64_t>());
  }
  return numbers;
}

at::ScalarType read_dtype(const Json& row) {
  const Json& name = field(row, "dtype");
  if (!name.is_string()) throw Error("'dtype' is no string");
  const auto type = dtype_named(&DtypeNames::safetensors, name.get_ref<const std::string&>());
  if (!type) throw Error(fmt::format("dtype '{}' is not supported", printable(name.get<std::string>())));
  return *type;
}

Extent read_extent(const Json& row, std::size_t available) {
  const auto offsets = whole_numbers(field(row, "data_offsets"), "data_offsets");
  if (offsets.size() != 2 || offsets[0] > offsets[1]) throw Error("'data_offsets' are out of order");
  if (static_cast<std::uint64_t>(offsets[1]) > available) {
    throw Error(fmt::format("ends at byte {} of {} (an unfinished download?)", offsets[1], available));
  }
  return {static_cast<std::uint64_t>(offsets[0]), static_cast<std::uint64_t>(offsets[1]), {}};
}

Tensor read_tensor(const Json& row, const SharedBytes& data, const Extent& extent) {
  const auto sizes = whole_numbers(field(row, "shape"), "shape");
  const TensorLayout layout{read_dtype(row), sizes, contiguous_strides(sizes), 0};
  std::uint64_t bytes = c10::elementSize(layout.dtype);
  for (const std::int64_t size : sizes) bytes *= static_cast<std::uint64_t>(size);  // checked just above
  if (bytes != extent.end - extent.begin) {
    throw Error(fmt::format("takes {} bytes but its shape makes {}", extent.end - extent.begin, bytes));
  }
  return view_tensor(data.slice(extent.begin, extent.end - extent.begin), layout);
}

/// The tensors must tile the data, as the format asks: no byte is shared, none is unaccounted for.
void check_tiling(std::vector<Extent> extents, std::uint64_t available) {
  std::ranges::sort(extents, {}, [](const Extent& extent) { return std::pair(extent.begin, extent.end); });
  std::uint64_t end = 0;
  for (const Extent& extent : extents) {
    if (extent.begin != end) {
      throw Error(fmt::format("tensor '{}' {}", printable(extent.name),
                              extent.begin < end ? "overlaps another" : "leaves a gap before it"));
    }
    end = extent.end;
  }
  if (end != available) throw Error(fmt::format("{} bytes follow the last tensor", available - end));
}

std::map<std::string, std::string> read_metadata(const Json& table) {
  std::map<std::string, std::string> metadata;
  if (!table.is_object()) throw Error("safetensors metadata is no JSON object");
  for (const auto& [key, value] : table.items()) {
    if (!value.is_string()) throw Error(fmt::format("metadata '{}' is no string", printable(key)));
    metadata.emplace(key, value.get<std::string>());
  }
  return metadata;
}

StateDict read_tensors(const Json& header, const SharedBytes& data) {
  StateDict tensors;
  std::vector<Extent> extents;
  for (const auto& [name, row] : header.items()) {
    if (name == kMetadataKey) continue;
    try {
      Extent extent = read_extent(row, data.bytes.size());
      tensors.emplace(name, read_tensor(row, data, extent));
      extent.name = name;
      extents.push_back(std::move(extent));
    } catch (const Error& problem) {
      throw Error(fmt::format("tensor '{}' {}", printable(name), problem.what()));
    }
  }
  check_tiling(std::move(extents), data.bytes.size());
  return tensors;
}

// --- writing ---

using Named = StateDict::const_pointer;

/// Wide elements first, names among equals: then every tensor is aligned when the file is mapped.
std::vector<Named> data_order(const StateDict& tensors) {
  std::vector<Named> order;
  for (const auto& entry : tensors) order.push_back(&entry);
  std::ranges::stable_sort(order, std::greater{}, [](Named entry) { return entry->second.element_size(); });
  return order;
}

Json describe(const Tensor& tensor, std::uint64_t begin) {
  const auto type = dtype_name(&DtypeNames::safetensors, tensor.scalar_type());
  if (!type) throw Error(fmt::format("safetensors has no type for {}", c10::toString(tensor.scalar_type())));
  const std::uint64_t bytes = static_cast<std::uint64_t>(tensor.numel()) * tensor.element_size();
  return {{"dtype", *type}, {"shape", tensor.sizes().vec()}, {"data_offsets", {begin, begin + bytes}}};
}

std::string make_header(const std::vector<Named>& order, const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header[std::string(kMetadataKey)] = metadata;
  std::uint64_t begin = 0;
  for (const Named entry : order) {
    if (entry->first == kMetadataKey) throw Error("a tensor cannot be called __metadata__");
    const Json& row = header[entry->first] = describe(entry->second, begin);
    begin = row["data_offsets"][1].get<std::uint64_t>();
  }
  try {
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    return text;
  } catch (const Json::exception& problem) {  // a name that is not UTF-8
    throw Error(fmt::format("names cannot be written as JSON: {}", printable(problem.what())));
  }
}

void write_tensor(std::ostream& out, const Tensor& tensor) {
  const Tensor strided = tensor.layout() == at::kStrided ? tensor.detach() : tensor.detach().to_dense();
  const Tensor plain = strided.to(at::kCPU).contiguous();
  out.write(static_cast<const char*>(plain.data_ptr()), static_cast<std::streamsize>(plain.nbytes()));
}

void write_stream(std::ostream& out, const StateDict& tensors,
                  const std::map<std::string, std::string>& metadata) {
  const auto order = data_order(tensors);
  const std::string header = make_header(order, metadata);
  const std::uint64_t length = header.size();
  out.write(reinterpret_cast<const char*>(&length), kPrefixBytes);
  out << header;
  for (const Named entry : order) write_tensor(out, entry->second);
  out.flush();
}

}  // namespace

Safetensors read_safetensors(const SharedBytes& file) {
  const std::uint64_t length = header_length(file.text());
  const Json header = parse_header(file.text().substr(kPrefixBytes, length));
  const std::size_t start = kPrefixBytes + length;
  Safetensors read{read_tensors(header, file.slice(start, file.bytes.size() - start)), {}};
  if (header.contains(kMetadataKey)) read.metadata = read_metadata(header[std::string(kMetadataKey)]);
  return read;
}

Safetensors read_safetensors(const fs::path& path) {
  const SharedBytes file = map_file(path);
  return naming(printable(path.string()), [&] { return read_safetensors(file); });
}

void write_safetensors(const fs::path& path, const StateDict& tensors,
                       const std::map<std::string, std::string>& metadata) {
  write_whole(path, [&](std::ostream& out) { write_stream(out, tensors, metadata); });
}

}  // namespace sr
