#include "cli/preview.h"

#include <fmt/format.h>
#include <limits>

#include "cli/overview.h"
#include "cli/report.h"
#include "image/contact_sheet.h"
#include "image/resize.h"

namespace sr {
namespace {

constexpr auto* kBefore = "input, bicubic";
constexpr std::int64_t kAnySize = std::numeric_limits<std::int64_t>::max();  // it was read, or made, before

bool is_page(const std::string& file) { return fs::path(file).extension() == ".html"; }

struct Crops {
  Tensor before, after;  ///< [3,h,w], float in [0,1] but for what bicubic overshoots
};

/// The middle of a result, at most `most` pixels a side, and of its input.
Crops crops_of(const Job& job, int most) {
  const auto result = open_picture(job.target, kAnySize), input = open_picture(job.input.path, kAnySize);
  const auto area = middle_area(result.height(), result.width(), most);
  const auto resizer = Resizer::to_size(input.height(), input.width(), result.height(), result.width());
  const auto [first, end] = resizer.input_rows(area.top, area.top + area.height);
  const auto band =
      decode_area(input, {0, static_cast<int>(first), input.width(), static_cast<int>(end - first)});
  const auto before = resizer.rows(area.top, area.top + area.height, band, first);
  return {before.slice(2, area.left, area.left + area.width).contiguous(), decode_area(result, area)};
}

fs::path input_of(const Job& job) { return job.input.path; }

bool write_sheet(const std::string& file, const std::vector<Job>& jobs, const std::string& after, Log& log) {
  std::vector<SheetCell> cells;
  const bool good =
      for_each_result(jobs, kPreviewPictures, log, input_of, [&](size_t, const Job& job, const fs::path&) {
        auto crops = crops_of(job, kPreviewCrop);
        cells.push_back(
            {crops.before, fmt::format("{}: {}", printable(job.input.relative.string()), kBefore)});
        cells.push_back({crops.after, after});
      });
  if (!cells.empty()) write_contact_sheet(sheet_file(file), cells, 2);
  return good;
}

bool write_page(const std::string& file, const std::vector<Job>& jobs, const std::string& after, Log& log) {
  Report report(
      file,
      {fmt::format("{}: before and after", after),
       kBefore,
       after,
       {},
       {{"shown", fmt::format("the middle of each result, at most {0} x {0} pixels", kPreviewPageCrop)}}});
  bool any = false;
  const bool good =
      for_each_result(jobs, jobs.size(), log, input_of, [&](size_t i, const Job& job, const fs::path&) {
        const auto crops = crops_of(job, kPreviewPageCrop);
        report.add(i, job.input.relative.string(), {}, crops.before, crops.after);
        any = true;
      });
  if (any) report.finish({});
  return good;
}

}  // namespace

void check_preview(const std::string& file, const std::vector<Job>& jobs) {
  if (!is_page(file) && !Format::of_name(split_options(file).name)) {
    throw UsageError(
        fmt::format("--preview {}: neither a page's name (FILE.html) nor a picture's", printable(file)));
  }
  check_overview("--preview", is_page(file) ? fs::path(file) : sheet_file(file).path, jobs);
  for (const auto& job : jobs) {
    if (is_stream(job.input.path))
      throw UsageError("--preview reads pictures again: not from standard input");
  }
}

bool write_preview(const std::string& file, const std::vector<Job>& jobs, const std::string& after,
                   Log& log) {
  return (is_page(file) ? write_page : write_sheet)(file, jobs, after, log);
}

}  // namespace sr
