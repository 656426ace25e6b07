#pragma once
// The families that have a fused form, as graphs.

#include <memory>

#include "infer/fused_net.h"
#include "nets/rrdbnet.h"
#include "nets/srvgg.h"

namespace sr::fused {

/// Null for scales above 4.
std::unique_ptr<FusedNetwork> build(const SRVGGNetCompact& network);

/// Null for the upsamplings without a fused form: other than by pixel shuffle or by repeating pixels twofold.
std::unique_ptr<FusedNetwork> build(const RRDBNet& network);

}  // namespace sr::fused
