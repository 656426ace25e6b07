#include "weights/mat_tensors.h"

#include <algorithm>
#include <fmt/format.h>

#include "weights/mat_file.h"

namespace sr {
namespace {

/// MATLAB's first index runs fastest.
Tensor tensor_of(const MatVariable& variable) {
  std::vector<std::int64_t> shape(variable.shape.rbegin(), variable.shape.rend()), order(shape.size());
  for (size_t i = 0; i < order.size(); i++) order[i] = static_cast<std::int64_t>(order.size() - 1 - i);
  return torch::tensor(variable.numbers, at::kDouble).reshape(shape).permute(order).contiguous();
}

}  // namespace

bool is_mat(const SharedBytes& file) { return file.text().starts_with("MATLAB 5.0 MAT-file"); }

StateDict read_mat_tensors(const SharedBytes& file) {
  StateDict tensors;
  for (const auto& [name, variable] : parse_mat(file.text())) {
    if (!variable.numbers.empty()) tensors[name] = tensor_of(variable);
    for (size_t i = 0; i < variable.cells.size(); i++) {
      const auto& cell = variable.cells[i];
      if (!cell.numbers.empty()) tensors[fmt::format("{}.{}", name, i)] = tensor_of(cell);
    }
  }
  return tensors;
}

}  // namespace sr
