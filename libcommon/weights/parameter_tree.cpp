#include "weights/parameter_tree.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "weights/hostile_calls.h"
#include "weights/numpy_arrays.h"

namespace sr {
namespace {

using pickle::Entries;
using pickle::Object;
using pickle::Value;

/// The first that is there wins: averaged weights before the last step's, a network before what is around it.
constexpr std::array<std::string_view, 18> kWrappers{
    "params_ema", "params-ema", "params", "state_dict", "model_state_dict", "model",
    "net",        "net_g",      "netG",   "net_g_ema",  "generator_ema",    "generator",
    "g_ema",      "model_ema",  "ema",    "network",    "weights",          "gen"};
constexpr std::array<std::string_view, 5> kPrefixes{"module.", "netG.", "net_g.", "_orig_mod.", "generator."};
/// PyTorch's averaged models count their updates beside the `module.` names.
constexpr std::string_view kAverageCounter = "n_averaged";

constexpr int kDeepest = 64;
/// Entries looked at: a tree may share its branches, and a hostile one does so without end.
constexpr std::size_t kMostWork = 50'000'000;
constexpr std::size_t kLongestName = 4096;
/// A file may have several names for one array, but arrays have their bytes in the pickle, so that copies of
/// them cannot be much larger than it.
constexpr std::size_t kMostArrayCopies = 4;

struct Child {
  std::string_view name;
  const Value* value = nullptr;
};
using Children = std::vector<Child>;

const Entries* state_of(const Value& value) {
  const Object* object = pickle::as_object(value);
  return object ? pickle::as_table(object->state) : nullptr;
}

bool is_container(const Value& value) {
  return !is_tensor(value) && (pickle::as_table(value) || state_of(value));
}

bool holds_tensors(const Children& children) {
  return std::ranges::any_of(children, [](const Child& child) { return is_tensor(*child.value); });
}

/// Looks into containers, and stops where that would never end.
class Explorer {
 public:
  /// A table's entries; a module's parameters, buffers and submodules; another object's attributes.
  Children children(const Value& value) {
    if (is_tensor(value)) return {};
    if (const Entries* table = pickle::as_table(value)) return named(*table);
    const Entries* state = state_of(value);
    if (!state) return {};
    Children all = named(*state);
    const bool module = std::ranges::find(all, "_modules", &Child::name) != all.end();
    return module ? module_children(all) : all;
  }

 private:
  Children named(const Entries& table) {
    work_ += table.size();
    if (work_ > kMostWork) throw Error("its tables are nested beyond all reason");
    Children children;
    for (const auto& [key, value] : table) {
      if (const auto name = pickle::as_text(key)) children.push_back({*name, &value});
    }
    return children;
  }

  Children module_children(const Children& attributes) {
    Children children;
    for (const Child& attribute : attributes) {
      const bool part =
          attribute.name == "_parameters" || attribute.name == "_buffers" || attribute.name == "_modules";
      const Entries* table = part ? pickle::as_table(*attribute.value) : nullptr;
      if (!table) continue;
      const Children more = named(*table);
      children.insert(children.end(), more.begin(), more.end());
    }
    return children;
  }

  std::size_t work_ = 0;
};

const Value* find_wrapper(const Children& children, Explorer& explorer) {
  for (const std::string_view name : kWrappers) {
    for (const Child& child : children) {
      if (child.name == name && is_container(*child.value) && !explorer.children(*child.value).empty()) {
        return child.value;
      }
    }
  }
  return nullptr;
}

/// The only child that can hold the weights, where there is just one.
const Value* find_only_table(const Children& children, Explorer& explorer) {
  std::vector<const Value*> tables;
  std::vector<const Value*> of_tensors;
  for (const Child& child : children) {
    if (!is_container(*child.value)) continue;
    tables.push_back(child.value);
    if (holds_tensors(explorer.children(*child.value))) of_tensors.push_back(child.value);
  }
  if (of_tensors.size() == 1) return of_tensors[0];
  return tables.size() == 1 ? tables[0] : nullptr;
}

const Value& unwrap(const Value& root, Explorer& explorer) {
  const Value* value = &root;
  for (int depth = 0; depth < kDeepest && pickle::as_table(*value); ++depth) {
    const Children children = explorer.children(*value);
    const Value* inner = find_wrapper(children, explorer);
    if (!inner && !holds_tensors(children)) inner = find_only_table(children, explorer);
    if (!inner) break;
    value = inner;
  }
  return *value;
}

/// Walks a tree and gathers its tensors under dotted names.
class Gatherer {
 public:
  Gatherer(const pickle::Document& document, const StorageSource& storages, Explorer& explorer)
      : storages_(storages), explorer_(explorer), array_bytes_left_(document.length * kMostArrayCopies) {}

  void gather(const Value& value, const std::string& prefix, int depth) {
    if (depth > kDeepest) throw Error("its tables are nested beyond all reason");
    const Children children = explorer_.children(value);
    // Beside tensors, a plain table holds settings and the like; a module holds submodules.
    const bool flat = pickle::as_table(value) && holds_tensors(children);
    for (const Child& child : children) {
      if (is_tensor(*child.value)) {
        add(full_name(prefix, child.name), *child.value);
      } else if (!flat && is_container(*child.value)) {
        gather(*child.value, full_name(prefix, child.name) + ".", depth + 1);
      }
    }
  }

  StateDict tensors;

 private:
  static std::string full_name(const std::string& prefix, std::string_view name) {
    if (prefix.size() + name.size() > kLongestName) throw Error("it has names longer than any network's");
    return prefix + std::string(name);
  }

  void add(const std::string& name, const Value& value) {
    try {
      spend(value);
      tensors.insert_or_assign(name, read_tensor(value, storages_));
    } catch (const Error& problem) {
      throw Error(fmt::format("tensor '{}' {}", printable(name), problem.what()));
    }
  }

  void spend(const Value& value) {
    const std::size_t bytes = numpy_array_bytes(value);
    if (bytes > array_bytes_left_) throw Error("is one of more arrays than the pickle has bytes for");
    array_bytes_left_ -= bytes;
  }

  const StorageSource& storages_;
  Explorer& explorer_;
  std::size_t array_bytes_left_;
};

bool all_start_with(const StateDict& tensors, std::string_view prefix) {
  bool any = false;
  for (const auto& [name, tensor] : tensors) {
    if (name == kAverageCounter) continue;
    if (!name.starts_with(prefix) || name.size() == prefix.size()) return false;
    any = true;
  }
  return any;
}

StateDict without_prefix(const StateDict& tensors, std::size_t length) {
  StateDict shorter;
  for (const auto& [name, tensor] : tensors) {
    if (name != kAverageCounter) shorter.emplace(name.substr(length), tensor);
  }
  return shorter;
}

}  // namespace

StateDict strip_prefixes(StateDict tensors) {
  const auto shared = [&tensors](std::string_view prefix) { return all_start_with(tensors, prefix); };
  for (auto found = std::ranges::find_if(kPrefixes, shared); found != kPrefixes.end();
       found = std::ranges::find_if(kPrefixes, shared)) {
    tensors = without_prefix(tensors, found->size());
  }
  return tensors;
}

StateDict collect_parameters(const pickle::Document& document, const StorageSource& storages) {
  refuse_hostile_calls(document);
  if (!is_container(document.root)) {
    throw Error(fmt::format("it holds no table of tensors but {}", pickle::describe(document.root)));
  }
  Explorer explorer;
  Gatherer gatherer(document, storages, explorer);
  gatherer.gather(unwrap(document.root, explorer), "", 0);
  if (gatherer.tensors.empty()) throw Error("it holds no tensors");
  return strip_prefixes(std::move(gatherer.tensors));
}

}  // namespace sr
