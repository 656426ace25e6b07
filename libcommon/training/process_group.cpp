#include "training/process_group.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <numeric>
#include <string>
#include <thread>

#include "core/error.h"
#include "core/files.h"
#include "core/signals.h"
#include "training/c10d.h"
#include "training/rank_address.h"

namespace sr {
namespace {

using Work = c10::intrusive_ptr<c10d::Work>;
using Clock = std::chrono::steady_clock;

/// An exception of LibTorch's or Gloo's as a part of a sentence: its first line, without the place in the
/// source that Gloo puts first.
std::string reason(const std::exception& exception) {
  std::string text = exception.what();
  text.erase(std::min(text.find('\n'), text.size()));
  if (const size_t place = text.find("] "); text.starts_with('[') && place != std::string::npos)
    text.erase(0, place + 2);
  while (!text.empty() && (text.back() == '.' || text.back() == ' ')) text.pop_back();
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0)
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return printable(text);
}

Error stopped(const std::string& why) {
  return Error(fmt::format("another rank stopped: {}; the run can be resumed from its last checkpoint", why));
}

/// What `act` answers; LibTorch's failures as that of another rank.
template <class Act>
auto together(const Act& act) {
  try {
    return act();
  } catch (const Error&) {
    throw;
  } catch (const Interrupted&) {
    throw;
  } catch (const std::exception& exception) {
    throw stopped(reason(exception));
  }
}

/// Looks again and again, less often the longer it takes: c10d knows no wait that a signal ends.
void wait_until_completed(c10d::Work& work, std::chrono::milliseconds timeout) {
  constexpr auto kFirstPause = std::chrono::microseconds(20), kLastPause = std::chrono::microseconds(1000);
  const auto begin = Clock::now();
  for (auto pause = kFirstPause; !work.isCompleted(); pause = std::min(2 * pause, kLastPause)) {
    check_interrupted();
    if (Clock::now() - begin > timeout)
      throw stopped(fmt::format("no answer for {:g} s", std::chrono::duration<double>(timeout).count()));
    std::this_thread::sleep_for(pause);
  }
}

void finish(c10d::Work& work, std::chrono::milliseconds timeout) {
  together([&] {
    wait_until_completed(work, timeout);
    work.wait();  // throws what went wrong; orders a CUDA stream after it
  });
}

MeetingStore meeting_store(const Ranks& ranks, std::chrono::milliseconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(ranks.port);
  options.isServer = ranks.rank == 0 && !ranks.meeting_held;
  options.numWorkers = static_cast<size_t>(ranks.count);
  options.waitWorkers = false;  // connecting waits for all
  options.timeout = timeout;
  leave_out_libuv(options);
  auto store = c10::make_intrusive<c10d::TCPStore>(ranks.address, options);
  return c10::make_intrusive<c10d::PrefixStore>(ranks.meeting, store);
}

/// Tells the others what rank 0's machine is called here, and asks them where this is that machine.
std::string own_address(const Ranks& ranks, c10d::Store& store) {
  const auto key = [](int rank) { return fmt::format("machine-of-rank-0/{}", rank); };
  const Route route = route_to(ranks.address, ranks.port);
  const std::string outward = is_loopback(route.there) ? "" : route.there;
  store.set(key(ranks.rank), std::vector<std::uint8_t>(outward.begin(), outward.end()));
  return address_for_others(route, [&]() -> std::string {
    for (int rank = 0; rank < ranks.count; ++rank) {
      const auto told = store.get(key(rank));
      if (!told.empty()) return {told.begin(), told.end()};
    }
    return {};
  });
}

Collectives connect(const Ranks& ranks, const at::Device& device, const MeetingStore& store,
                    std::chrono::milliseconds timeout) {
  if (device.is_cuda()) return nccl_collectives(store, ranks.rank, ranks.count, timeout);
  const std::string address = ranks.interface.empty() ? own_address(ranks, *store) : "";
  return gloo_collectives(store, ranks.rank, ranks.count, ranks.interface, address, timeout);
}

/// All values of the tensors as one row of bytes.
Tensor bytes_of(const std::vector<Tensor>& tensors, const at::Device& device) {
  std::vector<Tensor> rows;
  for (const Tensor& tensor : tensors)
    rows.push_back(tensor.contiguous().reshape({-1}).view(at::kByte).to(device));
  return at::cat(rows);
}

void set_bytes(const std::vector<Tensor>& tensors, const Tensor& bytes) {
  std::int64_t begin = 0;
  for (const Tensor& tensor : tensors) {
    const auto size = static_cast<std::int64_t>(tensor.nbytes());
    // a copy of its own: a type's values must begin at a multiple of their size
    const auto row = bytes.narrow(0, begin, size).clone();
    tensor.copy_(row.view(tensor.scalar_type()).view(tensor.sizes()));
    begin += size;
  }
}

}  // namespace

struct ProcessGroup::Connection {
  MeetingStore store;
  Collectives collectives;
};

ProcessGroup::ProcessGroup(const Ranks& ranks, const at::Device& device, std::chrono::milliseconds timeout)
    : ranks_(ranks), device_(device.is_cuda() && kHasNccl ? device : at::kCPU), timeout_(timeout) {
  if (ranks_.count == 1) return;
  try {
    const MeetingStore store = meeting_store(ranks_, timeout_);
    connection_ = std::make_unique<Connection>(Connection{store, connect(ranks_, device_, store, timeout_)});
    barrier();
  } catch (const UsageError&) {
    throw;
  } catch (const Interrupted&) {
    throw;
  } catch (const std::exception& exception) {
    throw UsageError(fmt::format("rank {} of {} doesn't find the others through {}:{}: {}", ranks_.rank,
                                 ranks_.count, printable(ranks_.address), ranks_.port, reason(exception)));
  }
}

ProcessGroup::~ProcessGroup() = default;

void ProcessGroup::broadcast(const std::vector<Tensor>& tensors) {
  constexpr std::int64_t kChunk = 25 << 20;  // bytes: few messages, and little memory beside the tensors
  if (!connection_) return;
  const at::NoGradGuard no_grad;
  const auto bytes = [](std::int64_t sum, const Tensor& t) {
    return sum + static_cast<std::int64_t>(t.nbytes());
  };
  const Tensor sizes = gathered(
      {static_cast<double>(std::accumulate(tensors.begin(), tensors.end(), std::int64_t{0}, bytes))});
  if (!sizes.eq(sizes[0]).all().item<bool>())
    throw Error("the ranks hold different networks: all must run the same program with the same options");
  std::vector<Tensor> chunk;
  std::int64_t size = 0;
  for (const Tensor& tensor : tensors) {
    if (tensor.numel() == 0) continue;
    chunk.push_back(tensor);
    size += static_cast<std::int64_t>(tensor.nbytes());
    if (size < kChunk) continue;
    broadcast_chunk(chunk);
    chunk.clear();
    size = 0;
  }
  if (!chunk.empty()) broadcast_chunk(chunk);
}

void ProcessGroup::broadcast_chunk(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> bytes{bytes_of(tensors, device_)};
  finish(*together([&] { return connection_->collectives->broadcast(bytes); }), timeout_);
  if (ranks_.rank != 0) set_bytes(tensors, bytes[0]);
}

/// A row for every rank, on the CPU.
Tensor ProcessGroup::gathered(const std::vector<double>& values) {
  std::vector<Tensor> own{at::tensor(values, at::kDouble).to(device_)};
  std::vector<std::vector<Tensor>> rows(1);
  for (int rank = 0; rank < ranks_.count; ++rank) rows[0].push_back(at::empty_like(own[0]));
  finish(*together([&] { return connection_->collectives->allgather(rows, own); }), timeout_);
  return at::stack(rows[0]).to(at::kCPU);
}

std::vector<double> ProcessGroup::mean(const std::vector<double>& values) {
  if (!connection_ || values.empty()) return values;
  const Tensor rows = gathered(values);
  const auto row = rows.accessor<double, 2>();
  std::vector<double> means(values.size());
  for (size_t i = 0; i < means.size(); ++i) {
    for (int rank = 0; rank < ranks_.count; ++rank) means[i] += row[rank][static_cast<std::int64_t>(i)];
    means[i] /= ranks_.count;
  }
  return means;
}

void ProcessGroup::barrier() { mean({0}); }

void ProcessGroup::await_first() {
  constexpr auto kPause = std::chrono::milliseconds(50);
  if (!connection_) return;
  const auto key = fmt::format("rank-0-is-here/{}", awaited_++);
  together([&] {  // the store is rank 0's or its agent's, and goes with it
    if (ranks_.rank == 0) connection_->store->set(key, std::vector<std::uint8_t>{1});
    while (!connection_->store->check({key})) {
      check_interrupted();
      std::this_thread::sleep_for(kPause);
    }
  });
  barrier();
}

ProcessGroup::Finish ProcessGroup::start_sum(const Tensor& values) {
  if (!connection_) return [] {};
  std::vector<Tensor> tensors{values};
  const Work work = together([&] { return connection_->collectives->allreduce(tensors); });
  return [work, timeout = timeout_] { finish(*work, timeout); };
}

}  // namespace sr
