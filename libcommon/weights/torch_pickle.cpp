#include "weights/torch_pickle.h"

#include <fmt/format.h>
#include <map>
#include <string>

#include "core/error.h"
#include "weights/byte_reader.h"
#include "weights/parameter_tree.h"
#include "weights/pickle.h"
#include "weights/tensor_view.h"

namespace sr {
namespace {

constexpr std::string_view magic_number("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr std::int64_t kKnownProtocol = 1001;

using StorageTable = std::map<std::string, SharedBytes, std::less<>>;

bool is_magic(const pickle::Value& value) {
  const auto* number = std::get_if<pickle::BigInt>(&value);
  return number && number->bytes == magic_number;
}

/// Reads the next pickle of the file.
pickle::Document next_pickle(ByteReader& in, std::string_view file) {
  pickle::Document document = pickle::read(file.substr(in.position()));
  in.take(document.length);
  return document;
}

void check_machine(const pickle::Document& machine) {
  const pickle::Entries* table = pickle::as_table(machine.root);
  const pickle::Value* order = table ? pickle::find(*table, "little_endian") : nullptr;
  const auto* little = order ? std::get_if<bool>(order) : nullptr;
  if (little && !*little) throw Error("it was saved on a big-endian machine, which is not supported");
}

/// Bytes an element of each storage takes: the raw storages only say how many elements they have.
std::map<std::string_view, std::size_t> element_sizes(const pickle::Document& document) {
  std::map<std::string_view, std::size_t> sizes;
  for (const pickle::Persistent& reference : document.references) {
    if (!is_storage(reference)) continue;
    const StorageId id = storage_id(reference);
    sizes.emplace(id.key, c10::elementSize(id.dtype));
  }
  return sizes;
}

SharedBytes next_storage(ByteReader& in, const SharedBytes& file, std::size_t element_size) {
  const auto elements = in.number<std::uint64_t>();
  if (elements > in.remaining() / element_size) {
    throw Error(
        fmt::format("it has a storage of {} elements where {} bytes are left (an unfinished download?)",
                    elements, in.remaining()));
  }
  const std::size_t start = in.position();
  in.take(elements * element_size);
  return aligned(file.slice(start, elements * element_size), element_size);
}

StorageTable read_storages(ByteReader& in, const SharedBytes& file, const pickle::Document& document) {
  const pickle::Document keys = next_pickle(in, file.text());
  const auto* list = pickle::as_sequence(keys.root);
  if (!list) throw Error("it has no list of its storages");
  const auto sizes = element_sizes(document);
  StorageTable storages;
  for (const pickle::Value& item : list->items) {
    const auto key = pickle::as_text(item);
    const auto size = key ? sizes.find(*key) : sizes.end();
    if (size == sizes.end()) throw Error("it has a storage that nothing refers to");
    storages.insert_or_assign(std::string(*key), next_storage(in, file, size->second));
  }
  return storages;
}

SharedBytes find_storage(const StorageTable& storages, const StorageId& id) {
  const auto found = storages.find(id.key);
  if (found == storages.end()) throw Error(fmt::format("has no storage '{}'", printable(id.key)));
  if (!id.window) return found->second;
  const auto [offset, elements] = *id.window;
  const auto width = static_cast<std::int64_t>(c10::elementSize(id.dtype));
  const auto available = static_cast<std::int64_t>(found->second.bytes.size()) / width;
  if (offset < 0 || elements < 0 || offset > available || elements > available - offset) {
    throw Error("has a window that reaches beyond its storage");
  }
  return found->second.slice(static_cast<std::size_t>(offset * width),
                             static_cast<std::size_t>(elements * width));
}

StateDict read_alone(const pickle::Document& document) {
  return collect_parameters(document, [](const StorageId& id) -> SharedBytes {
    throw Error(
        fmt::format("it refers to storage '{}', which a pickle alone cannot have", printable(id.key)));
  });
}

}  // namespace

StateDict read_torch_pickle(const SharedBytes& file) {
  ByteReader in(file.text());
  const pickle::Document first = next_pickle(in, file.text());
  if (!is_magic(first.root)) return read_alone(first);
  if (pickle::as_integer(next_pickle(in, file.text()).root) != kKnownProtocol) {
    throw Error("it is of an unknown version of PyTorch's legacy format");
  }
  check_machine(next_pickle(in, file.text()));
  const pickle::Document document = next_pickle(in, file.text());
  const StorageTable storages = read_storages(in, file, document);
  return collect_parameters(document,
                            [&storages](const StorageId& id) { return find_storage(storages, id); });
}

}  // namespace sr
