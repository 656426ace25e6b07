#include "infer/fused_net.h"

#include "infer/amx_conv.h"
#include "infer/fused_families.h"

namespace sr {

std::unique_ptr<FusedNetwork> fuse(const Network& network) {
  if (!amx::available()) return nullptr;
  if (const auto* srvgg = dynamic_cast<const SRVGGNetCompact*>(&network)) return fused::build(*srvgg);
  if (const auto* rrdb = dynamic_cast<const RRDBNet*>(&network)) return fused::build(*rrdb);
  return nullptr;
}

}  // namespace sr
