#include "weights/tensor_view.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

#include "core/error.h"

namespace sr {
namespace {

constexpr std::size_t kMostDimensions = 32;
/// An expanded tensor (stride 0) may have more elements than its storage, but not so many that a copy of it
/// could exhaust memory.
constexpr std::int64_t kMostExpanded = std::int64_t{1} << 24;

std::int64_t times(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) throw Error("has sizes or strides that overflow");
  return product;
}

std::int64_t plus(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) throw Error("has sizes or strides that overflow");
  return sum;
}

std::int64_t count(const TensorLayout& layout) {
  std::int64_t elements = 1;
  for (const std::int64_t size : layout.sizes) elements = times(elements, size);
  return elements;
}

void check_form(const TensorLayout& layout) {
  if (layout.sizes.size() > kMostDimensions) {
    throw Error(fmt::format("has {} dimensions", layout.sizes.size()));
  }
  if (layout.strides.size() != layout.sizes.size()) {
    throw Error(fmt::format("has {} sizes and {} strides", layout.sizes.size(), layout.strides.size()));
  }
  const auto negative = [](std::int64_t value) { return value < 0; };
  if (layout.offset < 0 || std::ranges::any_of(layout.sizes, negative) ||
      std::ranges::any_of(layout.strides, negative)) {
    throw Error("has a negative size, stride or offset");
  }
  contiguous_strides(layout.sizes);  // for its check of overflow
}

/// One more than the last element of the storage that the tensor sees.
std::int64_t reach(const TensorLayout& layout) {
  std::int64_t last = layout.offset;
  for (std::size_t i = 0; i < layout.sizes.size(); ++i) {
    last = plus(last, times(layout.sizes[i] - 1, layout.strides[i]));
  }
  return plus(last, 1);
}

void check_reach(const TensorLayout& layout, std::int64_t available) {
  if (reach(layout) > available) {
    throw Error(fmt::format("reaches to element {} of a storage of {}", reach(layout), available));
  }
  if (count(layout) > std::max(available, kMostExpanded)) {
    throw Error(fmt::format("has {} elements in a storage of {}", count(layout), available));
  }
}

Tensor view_in_place(const SharedBytes& owner, char* first, const TensorLayout& layout) {
  const auto release = [owner = owner.owner](void*) mutable { owner.reset(); };
  return at::from_blob(first, layout.sizes, layout.strides, release, at::TensorOptions(layout.dtype));
}

Tensor copy_out(const char* first, const TensorLayout& layout) {
  const std::int64_t elements = reach(layout) - layout.offset;
  const Tensor copy = at::empty({elements}, at::TensorOptions(layout.dtype));
  std::memcpy(copy.data_ptr(), first, copy.nbytes());
  return copy.as_strided(layout.sizes, layout.strides);
}

/// A bool that is neither 0 nor 1 is undefined behaviour, so a file must not bring one in.
void make_truth_values(char* first, const TensorLayout& layout) {
  for (char& byte : std::span(first, static_cast<std::size_t>(reach(layout) - layout.offset))) {
    if (byte != 0 && byte != 1) byte = 1;  // only then: writing would copy the mapped page
  }
}

bool is_aligned(const char* address, std::size_t element_size) {
  return reinterpret_cast<std::uintptr_t>(address) % std::min<std::size_t>(element_size, 8) == 0;
}

}  // namespace

std::vector<std::int64_t> contiguous_strides(const std::vector<std::int64_t>& sizes, bool column_major) {
  std::vector<std::int64_t> strides(sizes.size());
  std::int64_t stride = 1;
  for (std::size_t step = 0; step < sizes.size(); ++step) {
    const std::size_t i = column_major ? step : sizes.size() - 1 - step;
    if (sizes[i] < 0) throw Error("has a negative size");
    strides[i] = stride;
    stride = times(stride, std::max<std::int64_t>(sizes[i], 1));
  }
  times(stride, 16);  // in bytes it must fit too, whatever the type
  return strides;
}

Tensor view_tensor(const SharedBytes& storage, const TensorLayout& layout) {
  check_form(layout);
  const auto width = static_cast<std::int64_t>(c10::elementSize(layout.dtype));
  if (count(layout) == 0) return at::empty(layout.sizes, at::TensorOptions(layout.dtype));
  check_reach(layout, static_cast<std::int64_t>(storage.bytes.size()) / width);
  char* first = storage.bytes.data() + layout.offset * width;
  if (layout.dtype == at::kBool) make_truth_values(first, layout);
  const bool in_place = is_aligned(first, static_cast<std::size_t>(width));
  return in_place ? view_in_place(storage, first, layout) : copy_out(first, layout);
}

SharedBytes aligned(const SharedBytes& storage, std::size_t element_size) {
  if (is_aligned(storage.bytes.data(), element_size)) return storage;
  const auto copy = std::make_shared<std::vector<char>>(storage.bytes.begin(), storage.bytes.end());
  return {copy, *copy};
}

}  // namespace sr
