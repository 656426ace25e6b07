#include "training/rank_address.h"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/error.h"
#include "core/files.h"

namespace sr {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Addresses addresses_of(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (status != 0)
    throw UsageError(fmt::format("{}: no address of this host: {}", printable(host), ::gai_strerror(status)));
  return {found, &::freeaddrinfo};
}

std::string numeric(const sockaddr* address, socklen_t length) {
  std::array<char, NI_MAXHOST> text{};
  const int status = ::getnameinfo(address, length, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
  return status == 0 ? text.data() : "";
}

/// The near end of a datagram socket that is connected to the address; empty where that isn't possible.
std::string near_end(const addrinfo& to) {
  const int socket = ::socket(to.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return "";
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  auto* const own = reinterpret_cast<sockaddr*>(&storage);
  const bool known =
      ::connect(socket, to.ai_addr, to.ai_addrlen) == 0 && ::getsockname(socket, own, &length) == 0;
  const std::string text = known ? numeric(own, length) : "";
  ::close(socket);
  return text;
}

}  // namespace

Route route_to(const std::string& host, int port) {
  const Addresses addresses = addresses_of(host, port);
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    const std::string here = near_end(*address);
    if (!here.empty()) return {here, numeric(address->ai_addr, address->ai_addrlen)};
  }
  throw UsageError(fmt::format("{}: no way to this host: {}", printable(host), std::strerror(errno)));
}

bool is_loopback(const std::string& address) {
  in_addr four{};
  if (::inet_pton(AF_INET, address.c_str(), &four) == 1) return ::ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
  in6_addr six{};
  if (::inet_pton(AF_INET6, address.c_str(), &six) != 1) return false;
  return IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == IN_LOOPBACKNET);
}

std::string address_for_others(const Route& to_rank_0, const std::function<std::string()>& first_outward) {
  if (!is_loopback(to_rank_0.here)) return to_rank_0.here;
  // a loopback leads to rank 0, so that is this very machine
  const std::string outward = first_outward();
  return outward.empty() ? to_rank_0.here : outward;
}

}  // namespace sr
