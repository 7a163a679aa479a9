#pragma once

#include "model/error.h"
#include "netboot/dhcp.h"
#include "netboot/folder.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// `baton netboot doctor`: why a PC does not start.
namespace baton::netboot {

enum class Health : std::uint8_t { good, warning, fault };

struct Finding {
    Health health = Health::good;
    std::string about; ///< "DHCP on eth1"
    std::string text;  ///< what is so
    std::string hint;  ///< what to do; empty when good
    bool operator==(const Finding&) const = default;
};

/// An interface as the kernel has it.
struct InterfaceNow {
    bool up = false;                    ///< and a cable is in
    std::vector<std::string> addresses; ///< IPv4 and IPv6, without prefix lengths
};

/// What is looked at. Tests put in their own.
struct DoctorDoors {
    std::function<std::optional<InterfaceNow>(const std::string& name)> interface;
    /// The DHCP servers on one interface.
    std::function<Result<std::vector<DhcpOffer>>(const std::string& interface)> offers;
    /// A file over HTTP: its text.
    std::function<Result<std::string>(const std::string& url)> http;
    /// The first bytes of a file over TFTP.
    std::function<Result<std::string>(const std::string& server, const std::string& file)> tftp;
    /// Whether somebody listens there.
    std::function<Result<void>(const std::string& address, std::uint16_t port)> tcp;

    /// Those that look at this machine; `http` is the caller's to fill in.
    static DoctorDoors real();
};

/// Everything that is looked at, in the order in which a PC needs it. Blocking, some seconds.
std::vector<Finding> examine(const Folder& folder, const DoctorDoors& doors);

/// The worst of them.
Health worst(const std::vector<Finding>& findings);
std::string_view to_string(Health health);

} // namespace baton::netboot
