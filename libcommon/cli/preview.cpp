#include "cli/preview.h"

#include <fmt/format.h>
#include <limits>

#include "cli/report.h"
#include "core/signals.h"
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

/// Calls `show` with the first `count` jobs that have results; false where one threw an Error, which is told.
bool for_each_result(const std::vector<Job>& jobs, size_t count, Log& log,
                     const std::function<void(size_t, const Job&)>& show) {
  bool good = true;
  size_t shown = 0;
  for (size_t i = 0; i < jobs.size() && shown < count; i++) {
    if (!path_exists(jobs[i].target)) continue;
    check_interrupted();
    const bool done =
        attempt(log, {jobs[i].input.path.string(), jobs[i].target.string()}, [&] { show(i, jobs[i]); });
    done ? void(shown++) : void(good = false);
  }
  return good;
}

bool write_sheet(const std::string& file, const std::vector<Job>& jobs, const std::string& after, Log& log) {
  std::vector<SheetCell> cells;
  const bool good = for_each_result(jobs, kPreviewPictures, log, [&](size_t, const Job& job) {
    auto crops = crops_of(job, kPreviewCrop);
    cells.push_back({crops.before, fmt::format("{}: {}", printable(job.input.relative.string()), kBefore)});
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
  const bool good = for_each_result(jobs, jobs.size(), log, [&](size_t i, const Job& job) {
    const auto crops = crops_of(job, kPreviewPageCrop);
    report.add(i, job.input.relative.string(), {}, crops.before, crops.after);
    any = true;
  });
  if (any) report.finish({});
  return good;
}

}  // namespace

void check_preview(const std::string& file, const std::vector<Job>& jobs) {
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
