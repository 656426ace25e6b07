#pragma once
// What torch.save wrote before PyTorch 1.6: pickles one after the other (a magic number, the protocol, the
// machine, the object, the storages' keys), then the storages' bytes. And pickles alone, with NumPy arrays.

#include "weights/mapped_file.h"
#include "weights/state_dict.h"

namespace sr {

/// The network tensors of such a file; they view it where its bytes happen to be aligned. Throws Error.
StateDict read_torch_pickle(const SharedBytes& file);

}  // namespace sr
