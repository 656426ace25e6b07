#include "weights/torch_tensors.h"

#include <fmt/format.h>
#include <vector>

#include "core/error.h"
#include "weights/dtype.h"
#include "weights/numpy_arrays.h"
#include "weights/tensor_view.h"

namespace sr {
namespace {

using pickle::Global;
using pickle::Object;
using pickle::Value;

constexpr int kMostWrappings = 16;

/// A call that stands for a tensor or wraps one.
struct Call {
  const Global* function = nullptr;
  std::span<const Value> arguments;

  const Value& argument(std::size_t index) const {
    if (index < arguments.size()) return arguments[index];
    throw Error(fmt::format("is a call of {} with {} arguments", function->dotted(), arguments.size()));
  }
};

Call as_call(const Value& value) {
  const Object* object = pickle::as_object(value);
  return object ? Call{object->type, pickle::arguments(*object)} : Call{};
}

bool rebuilds(const Global& function) {
  return function.module == "torch._utils" && function.name.starts_with("_rebuild_");
}

bool is_parameter(const Global& function) {
  return function.is("torch.nn.parameter", "Parameter") || function.is("torch.nn.parameter", "Buffer") ||
         function.is("torch._utils", "_rebuild_parameter") ||
         function.is("torch._utils", "_rebuild_parameter_with_state");
}

bool is_subclass(const Global& function) {
  return function.is("torch._tensor", "_rebuild_from_type") ||
         function.is("torch._tensor", "_rebuild_from_type_v2");
}

/// Takes parameters and tensor subclasses off what they wrap.
Call innermost(const Value& value) {
  Call call = as_call(value);
  for (int i = 0; call.function && i < kMostWrappings; ++i) {
    if (is_parameter(*call.function)) {
      call = as_call(call.argument(0));
    } else if (is_subclass(*call.function)) {  // (function, type, arguments, state)
      const auto* arguments = pickle::as_sequence(call.argument(2));
      call = {pickle::as_global(call.argument(0)), {}};
      if (arguments) call.arguments = arguments->items;
    } else {
      return call;
    }
  }
  throw Error("is a wrapper around something other than a tensor");
}

std::vector<std::int64_t> whole_numbers(const Value& value) {
  const auto* sequence = pickle::as_sequence(value);
  if (!sequence) throw Error("has sizes or strides that are no tuple");
  std::vector<std::int64_t> numbers;
  for (const Value& item : sequence->items) {
    const auto number = pickle::as_integer(item);
    if (!number) throw Error("has sizes or strides that are no integers");
    numbers.push_back(*number);
  }
  return numbers;
}

std::int64_t whole_number(const Value& value) {
  const auto number = pickle::as_integer(value);
  if (!number) throw Error(fmt::format("has {} where an integer belongs", pickle::describe(value)));
  return *number;
}

/// Types that have no storage class of their own are named in the call.
at::ScalarType named_dtype(const Value& value) {
  const Global* name = pickle::as_global(value);
  const auto type =
      name && name->module == "torch" ? dtype_named(&DtypeNames::torch, name->name) : std::nullopt;
  if (!type) throw Error(fmt::format("is of an unsupported type ({})", pickle::describe(value)));
  return *type;
}

Tensor read_call(const Call& call, const StorageSource& storages) {
  const auto* reference = pickle::as_persistent(call.argument(0));
  if (!reference) throw Error(fmt::format("has {} as its storage", pickle::describe(call.argument(0))));
  const StorageId id = storage_id(*reference);
  const bool typed_in_call = call.function->name == "_rebuild_tensor_v3";
  const TensorLayout layout{typed_in_call ? named_dtype(call.argument(6)) : id.dtype,
                            whole_numbers(call.argument(2)), whole_numbers(call.argument(3)),
                            whole_number(call.argument(1))};
  return view_tensor(storages(id), layout);
}

at::ScalarType storage_type(const Value& value) {
  const Global* name = pickle::as_global(value);
  if (!name || !name->module.starts_with("torch")) {
    throw Error(fmt::format("has {} as its type of storage", pickle::describe(value)));
  }
  if (name->name == "UntypedStorage" || name->name == "_UntypedStorage") return at::kByte;
  const auto type = dtype_named(&DtypeNames::storage, name->name);
  if (!type) throw Error(fmt::format("is of an unsupported type ({})", name->dotted()));
  return *type;
}

/// (key, offset, size)
std::pair<std::int64_t, std::int64_t> read_window(const Value& value) {
  const auto* parts = pickle::as_sequence(value);
  if (!parts || parts->items.size() != 3) throw Error("has a malformed window into its storage");
  return {whole_number(parts->items[1]), whole_number(parts->items[2])};
}

}  // namespace

bool is_storage(const pickle::Persistent& reference) {
  const auto* parts = pickle::as_sequence(reference.id);
  return parts && parts->items.size() >= 5 && pickle::as_text(parts->items[0]) == std::string_view("storage");
}

StorageId storage_id(const pickle::Persistent& reference) {
  if (!is_storage(reference)) throw Error("has an outside reference that is none to a storage");
  const auto* parts = pickle::as_sequence(reference.id);
  const auto key = pickle::as_text(parts->items[2]);
  if (!key) throw Error("has a storage whose key is no text");
  StorageId id{storage_type(parts->items[1]), *key, whole_number(parts->items[4]), {}};
  const bool windowed = parts->items.size() > 5 && !std::holds_alternative<pickle::None>(parts->items[5]);
  if (windowed) id.window = read_window(parts->items[5]);
  return id;
}

bool is_tensor(const Value& value) {
  const Call call = as_call(value);
  if (!call.function) return false;
  return rebuilds(*call.function) || is_parameter(*call.function) || is_subclass(*call.function) ||
         is_numpy_array(value);
}

Tensor read_tensor(const Value& value, const StorageSource& storages) {
  if (is_numpy_array(value)) return read_numpy_array(value);
  const Call call = innermost(value);
  const bool dense = call.function && (call.function->is("torch._utils", "_rebuild_tensor") ||
                                       call.function->is("torch._utils", "_rebuild_tensor_v2") ||
                                       call.function->is("torch._utils", "_rebuild_tensor_v3"));
  if (!dense) {
    throw Error(fmt::format("is no dense tensor but {}",
                            call.function ? call.function->dotted() : pickle::describe(value)));
  }
  return read_call(call, storages);
}

}  // namespace sr
