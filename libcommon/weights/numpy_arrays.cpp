#include "weights/numpy_arrays.h"

#include <memory>
#include <optional>
#include <vector>

#include "core/error.h"
#include "weights/dtype.h"
#include "weights/tensor_view.h"

namespace sr {
namespace {

using pickle::Global;
using pickle::Object;
using pickle::Value;

/// What an array's record says of it, whichever way it was pickled.
struct Record {
  Value dtype;
  Value shape;
  bool column_major = false;
  Value bytes;
};

bool is_numpy(const Global& function, std::string_view part, std::string_view name) {
  std::string_view module = function.module;
  for (const std::string_view package : {"numpy.core.", "numpy._core."}) {
    if (module.starts_with(package)) return module.substr(package.size()) == part && function.name == name;
  }
  return false;
}

bool is_true(const Value& value) {
  const auto* truth = std::get_if<bool>(&value);
  return truth && *truth;
}

/// Protocols up to 4 hand `ndarray.__setstate__` (version, shape, dtype, column-major, bytes).
std::optional<Record> read_state(const Value& state) {
  const auto* parts = pickle::as_sequence(state);
  if (!parts || parts->items.size() != 5) return std::nullopt;
  return Record{parts->items[2], parts->items[1], is_true(parts->items[3]), parts->items[4]};
}

/// Protocol 5 calls `_frombuffer(bytes, dtype, shape, order)`.
std::optional<Record> read_buffer(std::span<const Value> arguments) {
  if (arguments.size() != 4) return std::nullopt;
  return Record{arguments[1], arguments[2], pickle::as_text(arguments[3]) == std::string_view("F"),
                arguments[0]};
}

std::optional<Record> array_record(const Value& value) {
  const Object* object = pickle::as_object(value);
  if (!object || !object->type) return std::nullopt;
  if (is_numpy(*object->type, "multiarray", "_reconstruct")) return read_state(object->state);
  if (is_numpy(*object->type, "numeric", "_frombuffer")) return read_buffer(pickle::arguments(*object));
  return std::nullopt;
}

/// `numpy.dtype("f4", ...)` whose state, (version, byte order, ...), says "<", or "|" for single bytes.
std::optional<at::ScalarType> element_type(const Value& value) {
  const Object* object = pickle::as_object(value);
  if (!object || !object->type || !object->type->is("numpy", "dtype")) return std::nullopt;
  const auto arguments = pickle::arguments(*object);
  const auto* state = pickle::as_sequence(object->state);
  const auto name = arguments.empty() ? std::nullopt : pickle::as_text(arguments[0]);
  const auto order = state && state->items.size() > 1 ? pickle::as_text(state->items[1]) : std::nullopt;
  if (!name || (order != std::string_view("<") && order != std::string_view("|"))) return std::nullopt;
  return dtype_named(&DtypeNames::numpy, *name);
}

std::vector<std::int64_t> array_shape(const Value& value) {
  const auto* sequence = pickle::as_sequence(value);
  if (!sequence) throw Error("has a shape that is no tuple");
  std::vector<std::int64_t> sizes;
  for (const Value& item : sequence->items) {
    const auto size = pickle::as_integer(item);
    if (!size) throw Error("has a shape of something other than integers");
    sizes.push_back(*size);
  }
  return sizes;
}

std::string_view array_bytes(const Value& value) {
  if (const auto* bytes = std::get_if<pickle::Bytes>(&value)) return bytes->bytes;
  if (const auto text = pickle::as_text(value)) return *text;  // Python 2 had one type for both
  throw Error("is an array without its bytes");
}

}  // namespace

bool is_numpy_array(const Value& value) {
  const auto record = array_record(value);
  return record && element_type(record->dtype).has_value();
}

std::size_t numpy_array_bytes(const Value& value) {
  return is_numpy_array(value) ? array_bytes(array_record(value)->bytes).size() : 0;
}

Tensor read_numpy_array(const Value& value) {
  const auto record = array_record(value);
  const auto type = record ? element_type(record->dtype) : std::nullopt;
  if (!type) throw Error("is no array of numbers");
  const auto sizes = array_shape(record->shape);
  const TensorLayout layout{*type, sizes, contiguous_strides(sizes, record->column_major), 0};
  const std::string_view bytes = array_bytes(record->bytes);
  // Truth values are put right in place, and the pickle's bytes are not ours to change.
  const auto copy = std::make_shared<std::vector<char>>(bytes.begin(), bytes.end());
  return view_tensor({copy, *copy}, layout);
}

}  // namespace sr
