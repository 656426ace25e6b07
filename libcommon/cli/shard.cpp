#include "cli/shard.h"

#include <cstdlib>
#include <fmt/format.h>
#include <optional>

#include "core/error.h"
#include "core/files.h"

namespace sr {
namespace {

constexpr long kMost = 1'000'000'000;

/// A number that Slurm set; nothing where it didn't.
std::optional<long> slurm_number(const std::string& name) {
  const char* text = std::getenv(("SLURM_" + name).c_str());
  if (text == nullptr) return std::nullopt;
  const auto number = parse_number(text, 0, kMost);
  if (!number)
    throw UsageError(fmt::format("--shard slurm: SLURM_{}={} is no number", name, printable(text)));
  return number;
}

long needed_number(const std::string& name) {
  if (const auto number = slurm_number(name)) return *number;
  throw UsageError(fmt::format("--shard slurm: SLURM_{} is not set", name));
}

/// This task's place in a job array: --array=1-8, 0-70:10, with %N too.
Shard array_shard() {
  const auto task = slurm_number("ARRAY_TASK_ID");
  if (!task) return {};
  const long first = needed_number("ARRAY_TASK_MIN"), last = needed_number("ARRAY_TASK_MAX");
  const long step = slurm_number("ARRAY_TASK_STEP").value_or(1), count = needed_number("ARRAY_TASK_COUNT");
  if (step < 1 || *task < first || *task > last || (*task - first) % step != 0 ||
      (last - first) / step + 1 != count)
    throw UsageError("--shard slurm: the array has gaps; give it as --array=1-N");
  return {static_cast<size_t>((*task - first) / step), static_cast<size_t>(count)};
}

/// This process's place among those of srun. A batch script, which runs once, has SLURM_NTASKS but not this.
Shard step_shard() {
  const auto count = slurm_number("STEP_NUM_TASKS");
  if (!count) return {};
  const long process = needed_number("PROCID");
  if (process >= *count) throw UsageError("--shard slurm: SLURM_PROCID is not below SLURM_STEP_NUM_TASKS");
  return {static_cast<size_t>(process), static_cast<size_t>(*count)};
}

Shard slurm_shard() {
  if (!slurm_number("ARRAY_TASK_ID") && !slurm_number("STEP_NUM_TASKS"))
    throw UsageError(
        "--shard slurm: neither SLURM_ARRAY_TASK_ID (sbatch --array) nor SLURM_STEP_NUM_TASKS (srun) is set");
  const auto array = array_shard(), step = step_shard();
  return {array.first * step.count + step.first, array.count * step.count};
}

}  // namespace

Shard parse_shard(const std::string& text) {
  if (text.empty()) return {};
  if (text == "slurm") return slurm_shard();
  const auto parts = split(text, '/');
  const auto count = parts.size() == 2 ? parse_number(parts[1], 1, kMost) : std::nullopt;
  const auto index = count ? parse_number(parts[0], 1, *count) : std::nullopt;
  if (!index) throw UsageError(fmt::format("--shard: '{}' is not I/N with I from 1 to N", text));
  return {static_cast<size_t>(*index) - 1, static_cast<size_t>(*count)};
}

}  // namespace sr
