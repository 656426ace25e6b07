#pragma once
// What sr-upscale --preview shows: the same crop of every picture before and after.

#include <string>
#include <vector>

#include "cli/batch.h"

namespace sr {

constexpr int kPreviewCrop = 384;        ///< pixels of the result a side, at most, on a sheet
constexpr int kPreviewPageCrop = 1024;   ///< and on a page
constexpr size_t kPreviewPictures = 16;  ///< on a sheet, the first ones

/// Throws UsageError where `file` is neither a page's name (.html) nor a picture's, or can't be written, or
/// the pictures can't be read again.
void check_preview(const std::string& file, const std::vector<Job>& jobs);

/// Reads inputs and results again, and writes the middle of each result beside the same part of the input,
/// enlarged to its size by MATLAB's bicubic: a sheet with a row a picture, or a page with a slider. Memory
/// holds the crops of a sheet, or those of one picture of a page, and the rows that they lie in. What has no
/// result is left out; without any nothing is written. `after` names what made the results. False, and an
/// error line, where a picture could not be read. Throws Error that names the file.
bool write_preview(const std::string& file, const std::vector<Job>& jobs, const std::string& after, Log& log);

}  // namespace sr
