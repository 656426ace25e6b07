#pragma once
// Tensors that are dear to reckon, and come out the same each time, kept on disk.
//
// FOLDER/KIND/ab/ab01...safetensors holds one, named by the SHA-256 of all that it comes from. Files are
// whole or absent, so several processes may share the folder. What nobody asks for any more (other weights
// came) stays until someone removes it.

#include <functional>
#include <string>
#include <string_view>

#include "core/files.h"
#include "core/torch.h"

namespace sr {

class TensorCache {
 public:
  /// No folder: nothing is kept. `by`: all that decides about the bits of the tensors beside what each is
  /// reckoned from.
  TensorCache(const fs::path& folder, const std::string& kind, std::string by);

  bool keeps() const { return !folder_.empty(); }
  /// What is kept of `from`, in the CPU's memory, else what `reckon` gives, which is then kept. Throws Error
  /// that names the file which can't be read or written.
  Tensor of(std::string_view from, const std::function<Tensor()>& reckon) const;

 private:
  fs::path file_of(std::string_view from) const;

  fs::path folder_;
  std::string by_;
};

/// The values of a contiguous tensor in the CPU's memory.
std::string_view bytes_of(const Tensor& tensor);

}  // namespace sr
