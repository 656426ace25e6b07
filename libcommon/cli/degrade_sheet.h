#pragma once
// What sr-degrade --contact-sheet shows: HR pictures beside what was made of them.

#include <functional>
#include <vector>

#include "cli/outputs.h"
#include "image/contact_sheet.h"

namespace sr {

constexpr size_t kSheetPictures = 64;  ///< the first so many
constexpr int kSheetArea = 512;        ///< HR pixels a side that are shown: the middle of larger pictures
constexpr int kSheetThumbnail = 256;   ///< pixels a side, at most

/// Reads HR (`hr_of` says where a job's is) and LR pictures again, and writes the sheet: for each the middle
/// of the HR picture, shrunk, the same part of the LR picture with its pixels as squares, and the name. What
/// has no result is left out; without any there is no sheet. False, and an error line, where a picture could
/// not be read. Throws Error that names the sheet.
bool write_degrade_sheet(const SheetFile& file, const std::vector<Job>& jobs,
                         const std::function<fs::path(const Job&)>& hr_of, Log& log);

}  // namespace sr
