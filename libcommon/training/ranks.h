#pragma once
// Which process of a run over many processes this is, as torchrun or Slurm says in the environment.
// Facts from: PyTorch's "torchrun (Elastic Launch)" and torch.distributed's env:// documentation; the output
// environment variables of Slurm's srun(1) and sbatch(1).

#include <functional>
#include <optional>
#include <string>

namespace sr {

struct Ranks {
  int rank = 0;               ///< of this process, [0,count)
  int count = 1;              ///< of processes; 1: nobody else, and no network
  int local = 0;              ///< of this process among those on its machine: its CUDA device
  std::string address;        ///< of rank 0's machine
  int port = 29500;           ///< where the ranks meet there
  bool meeting_held = false;  ///< torchrun's agent listens there already; otherwise rank 0 does
  std::string meeting;        ///< sets the keys of this start apart from an earlier one's in the same store
  std::string interface;      ///< the network interface to use (GLOO_SOCKET_IFNAME); empty: the one to rank 0
};

/// The value of an environment variable; nothing where it isn't set, or is empty.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

/// torchrun's RANK, WORLD_SIZE, MASTER_ADDR, and LOCAL_RANK (0) and MASTER_PORT (29500) where they are set;
/// otherwise those of a Slurm step (srun): SLURM_PROCID, SLURM_STEP_NUM_TASKS or SLURM_NTASKS, SLURM_LOCALID,
/// and the first host of its node list with a port made from the job's number, unless MASTER_ADDR and
/// MASTER_PORT say otherwise. Alone without either, in a batch script or shell of Slurm's outside srun too.
/// Throws UsageError for half an environment or one that makes no sense.
Ranks ranks_of(const Environment& variable);

/// Those of this process.
Ranks ranks_of_environment();

/// The first host of a list in Slurm's notation: "gpu[007-010,12],login" -> "gpu007".
std::string first_host(const std::string& list);

}  // namespace sr
