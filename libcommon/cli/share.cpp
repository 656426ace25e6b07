#include "cli/share.h"

#include "core/error.h"

namespace sr {

fs::path share_folder() {
  boost::system::error_code error;
  const auto program = fs::read_symlink("/proc/self/exe", error);
  const auto installed = (program.parent_path() / SR_INSTALLED_SHARE).lexically_normal();
  if (fs::exists(installed / "catalogue.tsv")) return installed;
  const fs::path source = SR_SOURCE_SHARE;
  if (fs::exists(source / "catalogue.tsv")) return source;
  throw UsageError("the share folder is missing: neither " + installed.string() + " nor " + source.string() +
                   " is there");
}

}  // namespace sr
