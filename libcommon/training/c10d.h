#pragma once
// LibTorch's collectives, and what differs between its versions and builds. Included by process_group.cpp
// alone.
//
//   1.13 (Debian 12): Gloo's and NCCL's groups are c10d::ProcessGroups; 2.x (Debian 13: 2.6): c10d::Backends.
//   Gloo: LibTorch's header includes Gloo's own, which Debian has in libgloo-dev and LibTorch's official
//     builds leave out. CMakeLists.txt tries whether they fit this LibTorch, else it defines SR_WITHOUT_GLOO.
//   NCCL: LibTorch says with USE_C10D_NCCL that it was built with it; <nccl.h> isn't part of LibTorch either.

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/version.h>
#if TORCH_VERSION_MAJOR >= 2
#include <torch/csrc/distributed/c10d/Backend.hpp>
#else
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#endif
#if defined(USE_C10D_GLOO) && !defined(SR_WITHOUT_GLOO)
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#define SR_HAS_GLOO 1
#else
#define SR_HAS_GLOO 0
#endif
#if defined(USE_C10D_NCCL) && __has_include(<nccl.h>)
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#define SR_HAS_NCCL 1
#else
#define SR_HAS_NCCL 0
#endif

#include <chrono>
#include <string>

#include "core/error.h"

namespace sr {

#if TORCH_VERSION_MAJOR >= 2
using CollectiveBackend = c10d::Backend;
#else
using CollectiveBackend = c10d::ProcessGroup;
#endif
using Collectives = c10::intrusive_ptr<CollectiveBackend>;
using MeetingStore = c10::intrusive_ptr<c10d::Store>;

inline constexpr bool kHasNccl = SR_HAS_NCCL != 0;

/// From 2.4 on the store's server is libuv's unless told otherwise, which Debian builds LibTorch without.
template <class Options>
void leave_out_libuv(Options& options) {
  if constexpr (requires { options.useLibUV; }) options.useLibUV = false;
}

/// Connects to all other ranks; `interface` of this machine, or else the one with `address`.
inline Collectives gloo_collectives([[maybe_unused]] const MeetingStore& store, [[maybe_unused]] int rank,
                                    [[maybe_unused]] int count, [[maybe_unused]] const std::string& interface,
                                    [[maybe_unused]] const std::string& address,
                                    [[maybe_unused]] std::chrono::milliseconds timeout) {
#if SR_HAS_GLOO
  using Gloo = c10d::ProcessGroupGloo;
  auto options = Gloo::Options::create(timeout);
  options->devices.push_back(interface.empty() ? Gloo::createDeviceForHostname(address)
                                               : Gloo::createDeviceForInterface(interface));
  return c10::make_intrusive<Gloo>(store, rank, count, options);
#else
  throw UsageError(
      "several ranks need Gloo: build sr-tools again with the headers of the Gloo that LibTorch was built "
      "with (Debian: libgloo-dev)");
#endif
}

/// On this process's current CUDA device.
inline Collectives nccl_collectives([[maybe_unused]] const MeetingStore& store, [[maybe_unused]] int rank,
                                    [[maybe_unused]] int count,
                                    [[maybe_unused]] std::chrono::milliseconds timeout) {
#if SR_HAS_NCCL
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = timeout;
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, count, options);
#else
  throw UsageError("this build has no NCCL");
#endif
}

}  // namespace sr
