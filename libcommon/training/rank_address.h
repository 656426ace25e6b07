#pragma once
// The address under which the other ranks reach this one.

#include <functional>
#include <string>

namespace sr {

/// The two ends of the way to a host, as numeric addresses.
struct Route {
  std::string here, there;
};

/// As the system would go; nothing is sent. Throws UsageError where the host has no address or no way leads
/// there.
Route route_to(const std::string& host, int port);

/// 127.0.0.0/8 or ::1 (IPv4 within IPv6 too): good for this machine alone.
bool is_loopback(const std::string& address);

/// This rank's address, where `first_outward` asks all ranks what they call rank 0's machine and answers the
/// first name that isn't a loopback, or nothing. A machine that knows its own name as a loopback (127.0.1.1
/// on Debian) would otherwise tell the others an address that leads them to themselves.
std::string address_for_others(const Route& to_rank_0, const std::function<std::string()>& first_outward);

}  // namespace sr
