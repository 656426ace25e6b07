#pragma once
// An alarm, not a lock: nothing in a pickle is ever called here, but a file that was made to run commands
// elsewhere should not pass in silence.

#include "weights/pickle.h"

namespace sr {

/// Throws Error, naming the function, where the pickle records a call that runs commands or code.
void refuse_hostile_calls(const pickle::Document& document);

}  // namespace sr
