#include "cli/degrade_sheet.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cli/overview.h"
#include "image/resize.h"

namespace sr {
namespace {

constexpr int kColumns = 3;  // of pairs

int rounded(double value) { return static_cast<int>(std::lround(value)); }

/// The part of the HR picture that this part of the LR picture was made of.
Area hr_area(const Area& lr, double across, double down) {
  const int left = rounded(lr.left * across), top = rounded(lr.top * down);
  return {left, top, rounded((lr.left + lr.width) * across) - left,
          rounded((lr.top + lr.height) * down) - top};
}

/// `image` within the largest thumbnail; never enlarged.
Tensor shrunk(const Tensor& image) {
  const double scale = double(kSheetThumbnail) / double(std::max(image.size(1), image.size(2)));
  if (scale >= 1) return image;
  const auto side = [&](int axis) { return std::max(1, rounded(double(image.size(axis)) * scale)); };
  return imresize_to(image, side(1), side(2));
}

/// `lr` in the size of the HR thumbnail: its pixels as squares, unless there are too many.
Tensor matched(const Tensor& lr, const Tensor& hr) {
  const bool enlarged = lr.size(1) <= hr.size(1) && lr.size(2) <= hr.size(2);
  return enlarged ? at::upsample_nearest2d(lr.unsqueeze(0), {hr.size(1), hr.size(2)})[0]
                  : imresize_to(lr, hr.size(1), hr.size(2));
}

SheetCell cell_of(const Job& job, const fs::path& hr_path) {
  const auto hr = open_picture(hr_path, std::numeric_limits<std::int64_t>::max());
  const auto lr = open_picture(job.target);
  const double across = double(hr.width()) / lr.width(), down = double(hr.height()) / lr.height();
  const auto area = middle_area(lr.height(), lr.width(), std::max(1, rounded(kSheetArea / across)));
  const auto thumbnail = shrunk(decode_area(hr, hr_area(area, across, down)));
  return {side_by_side(thumbnail, matched(decode_area(lr, area), thumbnail)),
          printable(job.input.relative.string())};
}

}  // namespace

bool write_degrade_sheet(const SheetFile& file, const std::vector<Job>& jobs,
                         const std::function<fs::path(const Job&)>& hr_of, Log& log) {
  std::vector<SheetCell> cells;
  const bool good =
      for_each_result(jobs, kSheetPictures, log, hr_of,
                      [&](size_t, const Job& job, const fs::path& hr) { cells.push_back(cell_of(job, hr)); });
  if (!cells.empty()) write_contact_sheet(file, cells, std::min(kColumns, static_cast<int>(cells.size())));
  return good;
}

}  // namespace sr
