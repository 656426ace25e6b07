#pragma once
// From what a checkpoint's pickle holds to named tensors.

#include "weights/pickle.h"
#include "weights/state_dict.h"
#include "weights/torch_tensors.h"

namespace sr {

/// The network's tensors under a pickle's root. Of a training checkpoint's tables the one that holds the
/// network is taken: `params_ema`, `params-ema`, `params`, `state_dict`, `model_state_dict`, `model`, `net`
/// and further usual names, in this order, one inside the other; else the only table of tensors. Modules
/// (saved whole, or as TorchScript) are walked and give dotted names. Throws Error where there are no
/// tensors, and where the pickle records calls that would run commands.
StateDict collect_parameters(const pickle::Document& document, const StorageSource& storages);

/// Takes `module.`, `netG.` and the like off the names, where every name has them.
StateDict strip_prefixes(StateDict tensors);

}  // namespace sr
