#include "training/ranks.h"

#include <charconv>
#include <cstdlib>
#include <fmt/format.h>

#include "core/error.h"
#include "core/files.h"

namespace sr {
namespace {

constexpr int kMostRanks = 1 << 20, kLastPort = 65535;

/// In [low,high].
std::optional<int> number(const Environment& variable, const std::string& name, int low, int high) {
  const auto text = variable(name);
  if (!text) return {};
  int value = 0;
  const char* const end = text->data() + text->size();
  const auto read = std::from_chars(text->data(), end, value);
  if (read.ec != std::errc() || read.ptr != end || value < low || value > high)
    throw UsageError(fmt::format("{}={} in the environment isn't a whole number from {} to {}", name,
                                 printable(*text), low, high));
  return value;
}

int needed_number(const Environment& variable, const std::string& name, const std::string& because, int low,
                  int high) {
  const auto value = number(variable, name, low, high);
  if (!value) throw UsageError(fmt::format("{} is in the environment, but {} isn't", because, name));
  return *value;
}

std::string needed_text(const Environment& variable, const std::string& name, const std::string& because) {
  const auto value = variable(name);
  if (!value) throw UsageError(fmt::format("{} is in the environment, but {} isn't", because, name));
  return *value;
}

void check(const Ranks& ranks, const std::string& rank_name, const std::string& count_name) {
  if (ranks.rank >= ranks.count)
    throw UsageError(fmt::format("{}={} in the environment must be less than {}={}", rank_name, ranks.rank,
                                 count_name, ranks.count));
}

Ranks torchrun(const Environment& variable) {
  Ranks ranks;
  ranks.rank = needed_number(variable, "RANK", "WORLD_SIZE", 0, kMostRanks);
  ranks.count = needed_number(variable, "WORLD_SIZE", "RANK", 1, kMostRanks);
  ranks.local = number(variable, "LOCAL_RANK", 0, kMostRanks).value_or(0);
  check(ranks, "RANK", "WORLD_SIZE");
  if (ranks.count == 1) return ranks;
  ranks.address = needed_text(variable, "MASTER_ADDR", "WORLD_SIZE");
  ranks.port = number(variable, "MASTER_PORT", 1, kLastPort).value_or(ranks.port);
  ranks.meeting_held = variable("TORCHELASTIC_USE_AGENT_STORE") == "True";
  // the agent's store outlives a restart of the workers
  ranks.meeting = fmt::format("sr-tools/{}", variable("TORCHELASTIC_RESTART_COUNT").value_or("0"));
  return ranks;
}

/// The program was started as a task of a step. A batch script's own environment has a rank too, but no step,
/// and nobody starts the other ranks.
bool in_slurm_step(const Environment& variable) {
  return variable("SLURM_PROCID") && (variable("SLURM_STEP_ID") || !variable("SLURM_JOB_ID"));
}

std::string slurm_node_list(const Environment& variable) {
  for (const char* name : {"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"}) {
    if (const auto list = variable(name)) return *list;
  }
  throw UsageError("SLURM_PROCID is in the environment, but neither SLURM_NODELIST nor MASTER_ADDR is");
}

Ranks slurm(const Environment& variable) {
  constexpr int kPorts = 1000;  // so that jobs that share a machine seldom meet
  const std::string count = variable("SLURM_STEP_NUM_TASKS") ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS";
  Ranks ranks;
  ranks.rank = needed_number(variable, "SLURM_PROCID", count, 0, kMostRanks);
  ranks.count = needed_number(variable, count, "SLURM_PROCID", 1, kMostRanks);
  ranks.local = needed_number(variable, "SLURM_LOCALID", "SLURM_PROCID", 0, kMostRanks);
  check(ranks, "SLURM_PROCID", count);
  if (ranks.count == 1) return ranks;
  const auto address = variable("MASTER_ADDR");
  ranks.address = address ? *address : first_host(slurm_node_list(variable));
  const int job = number(variable, "SLURM_JOB_ID", 0, std::numeric_limits<int>::max()).value_or(0);
  ranks.port = number(variable, "MASTER_PORT", 1, kLastPort).value_or(ranks.port + job % kPorts);
  ranks.meeting = "sr-tools";
  return ranks;
}

}  // namespace

std::string first_host(const std::string& list) {
  std::string host;
  for (size_t i = 0; i < list.size() && list[i] != ','; ++i) {
    if (list[i] != '[') {
      host += list[i];
      continue;
    }
    const size_t end = list.find(']', i), first_end = list.find_first_of(",-]", i);
    if (end == std::string::npos) throw UsageError(fmt::format("{}: no list of hosts", printable(list)));
    host.append(list, i + 1, first_end - i - 1);
    i = end;
  }
  if (host.empty()) throw UsageError(fmt::format("'{}': no list of hosts", printable(list)));
  return host;
}

Ranks ranks_of(const Environment& variable) {
  Ranks ranks;
  if (variable("RANK") || variable("WORLD_SIZE")) {
    ranks = torchrun(variable);
  } else if (in_slurm_step(variable)) {
    ranks = slurm(variable);
  }
  ranks.interface = variable("GLOO_SOCKET_IFNAME").value_or("");
  return ranks;
}

Ranks ranks_of_environment() {
  return ranks_of([](const std::string& name) -> std::optional<std::string> {
    const char* const value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') return {};
    return value;
  });
}

}  // namespace sr
