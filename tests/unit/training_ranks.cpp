// What the environment says of several processes, and where they meet.

#include <doctest.h>

#include "core/error.h"
#include "ranks_testing.h"
#include "training/rank_address.h"

namespace {

using namespace sr;

TEST_CASE("ranks: torchrun's environment") {
  const Ranks ranks = ranks_with({{"RANK", "5"},
                                  {"WORLD_SIZE", "8"},
                                  {"LOCAL_RANK", "1"},
                                  {"MASTER_ADDR", "node-a"},
                                  {"MASTER_PORT", "4711"},
                                  {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                                  {"TORCHELASTIC_RESTART_COUNT", "3"}});
  CHECK(ranks.rank == 5);
  CHECK(ranks.count == 8);
  CHECK(ranks.local == 1);
  CHECK(ranks.address == "node-a");
  CHECK(ranks.port == 4711);
  CHECK(ranks.meeting_held);
  CHECK(ranks.meeting == "sr-tools/3");
  CHECK(!ranks_with({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}}).meeting_held);
}

TEST_CASE("ranks: alone without an environment, and with one of one process") {
  CHECK(ranks_with({}).count == 1);
  CHECK(ranks_with({{"MASTER_ADDR", "a"}, {"LOCAL_RANK", "1"}}).count == 1);
  CHECK(ranks_with({{"RANK", "0"}, {"WORLD_SIZE", "1"}}).count == 1);
}

TEST_CASE("ranks: half an environment, or nonsense, is told") {
  using Variables = std::map<std::string, std::string>;
  const auto told = [](const Variables& variables) {
    std::string sentence = "nothing";
    try {
      ranks_with(variables);
    } catch (const UsageError& error) {
      sentence = error.what();
    }
    return sentence;
  };
  CHECK(told({{"RANK", "0"}}) == "RANK is in the environment, but WORLD_SIZE isn't");
  CHECK(told({{"WORLD_SIZE", "2"}}) == "WORLD_SIZE is in the environment, but RANK isn't");
  CHECK(told({{"RANK", "0"}, {"WORLD_SIZE", "2"}}) ==
        "WORLD_SIZE is in the environment, but MASTER_ADDR isn't");
  CHECK(told({{"RANK", "2"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}}) ==
        "RANK=2 in the environment must be less than WORLD_SIZE=2");
  CHECK(told({{"RANK", "-1"}, {"WORLD_SIZE", "2"}}).find("RANK=-1") == 0);
  CHECK(told({{"RANK", "0"}, {"WORLD_SIZE", "2x"}}).find("WORLD_SIZE=2x") == 0);
  CHECK(told({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "70000"}})
            .find("MASTER_PORT=70000") == 0);
  CHECK(told({{"SLURM_PROCID", "0"}, {"SLURM_LOCALID", "0"}}) ==
        "SLURM_PROCID is in the environment, but SLURM_NTASKS isn't");
  CHECK(told({{"SLURM_PROCID", "0"}, {"SLURM_LOCALID", "0"}, {"SLURM_NTASKS", "2"}}).find("SLURM_NODELIST") !=
        std::string::npos);
}

TEST_CASE("ranks: Slurm's environment") {
  std::map<std::string, std::string> variables{{"SLURM_PROCID", "3"},
                                               {"SLURM_NTASKS", "4"},
                                               {"SLURM_LOCALID", "1"},
                                               {"SLURM_NODELIST", "gpu[007-010,12],other"}};
  const Ranks ranks = ranks_with(variables);
  CHECK(ranks.rank == 3);
  CHECK(ranks.count == 4);
  CHECK(ranks.local == 1);
  CHECK(ranks.address == "gpu007");
  CHECK(ranks.port == 29500);

  variables["SLURM_JOB_ID"] = "1234567";
  CHECK(ranks_with(variables).count == 1);  // the batch script itself
  variables["SLURM_STEP_ID"] = "0";
  CHECK(ranks_with(variables).port == 29500 + 567);
  variables["SLURM_STEP_NODELIST"] = "b2,b3";
  variables["SLURM_STEP_NUM_TASKS"] = "5";
  CHECK(ranks_with(variables).address == "b2");
  CHECK(ranks_with(variables).count == 5);
  variables["MASTER_ADDR"] = "10.0.0.1";
  variables["MASTER_PORT"] = "1234";
  CHECK(ranks_with(variables).address == "10.0.0.1");
  CHECK(ranks_with(variables).port == 1234);
  variables["RANK"] = "1";  // torchrun started by Slurm
  variables["WORLD_SIZE"] = "2";
  CHECK(ranks_with(variables).count == 2);
}

TEST_CASE("ranks: first host of a list") {
  CHECK(first_host("node1") == "node1");
  CHECK(first_host("node1,node2") == "node1");
  CHECK(first_host("node[1-3]") == "node1");
  CHECK(first_host("n[03,05-07]-ib,m") == "n03-ib");
  CHECK(first_host("rack[2-3]n[10-20]") == "rack2n10");
  CHECK_THROWS_AS(first_host(""), UsageError);
  CHECK_THROWS_AS(first_host("n[1"), UsageError);
}

TEST_CASE("ranks: the address that others are told") {
  CHECK(is_loopback("127.0.1.1"));
  CHECK(is_loopback("::1"));
  CHECK(is_loopback("::ffff:127.0.0.1"));
  CHECK(!is_loopback("10.127.0.1"));
  CHECK(!is_loopback("fe80::1"));
  CHECK(route_to("127.0.0.1", 29500).here == "127.0.0.1");
  CHECK_THROWS_AS(route_to("no-such-host.invalid", 29500), UsageError);
  const auto outward = [] { return std::string("10.0.0.7"); };
  const auto nothing = [] { return std::string(); };
  CHECK(address_for_others({"10.0.0.8", "10.0.0.7"}, nothing) == "10.0.0.8");
  CHECK(address_for_others({"127.0.1.1", "127.0.1.1"}, outward) == "10.0.0.7");
  CHECK(address_for_others({"127.0.0.1", "127.0.0.1"}, nothing) == "127.0.0.1");
}

}  // namespace
