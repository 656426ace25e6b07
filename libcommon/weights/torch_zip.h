#pragma once
// What torch.save writes since PyTorch 1.6, and TorchScript archives: a zip file with a pickle in which
// tensors refer to storages that are entries of their own.

#include "weights/mapped_file.h"
#include "weights/state_dict.h"

namespace sr {

/// The network tensors of such a file; they view it where entries are stored as they are. Of a TorchScript
/// archive these are the module's parameters, buffers and tensor attributes. Throws Error.
StateDict read_torch_zip(const SharedBytes& file);

}  // namespace sr
