#include "netboot/settings.h"

#include <boost/json.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <bit>
#include <optional>

namespace json = boost::json;

namespace baton::netboot {

namespace {

constexpr std::size_t longest_interface = 15; // IFNAMSIZ without its end
constexpr std::size_t longest_text = 1024;

std::optional<std::uint32_t> ipv4(const std::string& text) {
    in_addr address{};
    if (::inet_pton(AF_INET, text.c_str(), &address) != 1)
        return std::nullopt;
    return ntohl(address.s_addr);
}

bool is_ipv6_prefix(const std::string& text) {
    in6_addr address{};
    if (::inet_pton(AF_INET6, text.c_str(), &address) != 1)
        return false;
    const auto* host = std::begin(address.s6_addr) + 8; // a /64: the other half is the client's
    return address.s6_addr[0] != 0 && address.s6_addr[0] < 0xfe &&
           std::all_of(host, host + 8, [](std::uint8_t byte) { return byte == 0; });
}

/// Text for a kernel's command line or a URL in it: no character that ends a line of iPXE's, or
/// that iPXE expands (`${`).
bool is_plain(std::string_view text, bool spaces) {
    return text.size() <= longest_text && text.find("${") == std::string_view::npos &&
           text.find("||") == std::string_view::npos && text.find("&&") == std::string_view::npos &&
           std::ranges::all_of(
               text, [&](char c) { return (c > 0x20 && c < 0x7f) || (spaces && c == ' '); });
}

tl::unexpected<Error> wrong(const std::string& what, const std::string& hint = {}) {
    return fail(Errc::invalid_argument, "network boot: " + what, hint);
}

Result<void> check_own(const Settings& settings, std::uint32_t address, std::uint32_t mask) {
    const auto first = ipv4(settings.range_first);
    const auto last = ipv4(settings.range_last);
    if (!first || !last)
        return wrong("the range '" + settings.range_first + "' to '" + settings.range_last +
                         "' is not two IPv4 addresses",
                     "for example: --range 10.98.0.100,10.98.0.200");
    if (*first > *last)
        return wrong("the range of addresses ends before it begins");
    if ((*first & mask) != (address & mask) || (*last & mask) != (address & mask))
        return wrong("the range is not in the network of " + settings.address,
                     "it has to lie within " + settings.netmask);
    if (address >= *first && address <= *last)
        return wrong("the boot server's own address " + settings.address + " is in the range",
                     "let the range begin above it");
    for (const auto* optional : {&settings.router, &settings.dns})
        if (!optional->empty() && !ipv4(*optional))
            return wrong("'" + *optional + "' is not an IPv4 address");
    if (settings.lease_minutes < 2 || settings.lease_minutes > 60 * 24 * 7)
        return wrong("a lease is 2 minutes to a week long");
    return {};
}

template <class Enum, std::size_t N>
bool read_word(const json::object& object, const char* name, const std::array<Enum, N>& all,
               Enum& place) {
    const auto* field = object.if_contains(name);
    if (field == nullptr || !field->is_string())
        return false;
    for (const Enum one : all) {
        if (to_string(one) != std::string_view(field->get_string()))
            continue;
        place = one;
        return true;
    }
    return false;
}

} // namespace

std::string_view to_string(Dhcp dhcp) {
    return dhcp == Dhcp::own ? "own" : "proxy";
}

std::string_view to_string(KernelBy by) {
    return by == KernelBy::http ? "http" : "tftp";
}

std::string_view to_string(RootBy by) {
    return by == RootBy::http ? "http" : "nfs";
}

Result<void> check_interface(std::string_view name) {
    const std::string shown(name.substr(0, 64));
    if (name.empty() || name.size() > longest_interface ||
        !std::ranges::all_of(name,
                             [](char c) {
                                 return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                        (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
                             }) ||
        name.front() == '-' || name == "." || name == "..")
        return wrong("'" + shown + "' is not the name of one network interface",
                     "see them with: ip link");
    if (name == "lo")
        return wrong("no client is on the loopback interface 'lo'", "see others with: ip link");
    return {};
}

Result<void> check(const Settings& settings) {
    if (settings.interfaces.empty())
        return wrong("no network interface was given", "name the one that the PCs are on: "
                                                       "--interface eth1 (see: ip link)");
    if (settings.interfaces.size() > 8)
        return wrong("more than 8 network interfaces");
    for (const auto& name : settings.interfaces)
        BATON_TRY(check_interface(name));
    const auto address = ipv4(settings.address);
    if (!address || *address >> 24 == 127 || *address >> 28 >= 14 || *address == 0)
        return wrong("'" + settings.address + "' is not an address of this machine for clients",
                     "give the IPv4 address that it has on the clients' network");
    const auto mask = ipv4(settings.netmask);
    if (!mask || *mask == 0 || std::popcount(*mask) > 30 ||
        std::countl_one(*mask) != std::popcount(*mask))
        return wrong("'" + settings.netmask + "' is not a netmask", "for example: 255.255.255.0");
    if (settings.dhcp == Dhcp::own)
        BATON_TRY(check_own(settings, *address, *mask));
    if (!settings.ipv6_prefix.empty() && !is_ipv6_prefix(settings.ipv6_prefix))
        return wrong("'" + settings.ipv6_prefix + "' is not the prefix of a /64",
                     "for example: fd98::");
    if (settings.http_port == 0)
        return wrong("the port for HTTP is 0");
    if (!settings.controller.starts_with("https://") || !is_plain(settings.controller, false))
        return wrong("'" + settings.controller.substr(0, 128) + "' is not the controller's address",
                     "for example: https://10.98.0.1:8443");
    if (settings.root_by == RootBy::nfs &&
        (!settings.nfs_export.starts_with('/') || !is_plain(settings.nfs_export, false)))
        return wrong("'" + settings.nfs_export.substr(0, 128) + "' is not a path of an NFS export");
    if (!is_plain(settings.kernel_arguments, true))
        return wrong("the kernel's arguments have a character that iPXE would not pass on");
    return {};
}

std::string to_json(const Settings& settings) {
    json::array interfaces;
    for (const auto& name : settings.interfaces)
        interfaces.emplace_back(name);
    const json::object object{{"format", "baton-netboot-settings-1"},
                              {"enabled", settings.enabled},
                              {"interfaces", std::move(interfaces)},
                              {"address", settings.address},
                              {"dhcp", to_string(settings.dhcp)},
                              {"range_first", settings.range_first},
                              {"range_last", settings.range_last},
                              {"netmask", settings.netmask},
                              {"router", settings.router},
                              {"dns", settings.dns},
                              {"lease_minutes", settings.lease_minutes},
                              {"ipv6_prefix", settings.ipv6_prefix},
                              {"kernel_by", to_string(settings.kernel_by)},
                              {"root_by", to_string(settings.root_by)},
                              {"nfs_export", settings.nfs_export},
                              {"http_port", settings.http_port},
                              {"controller", settings.controller},
                              {"kernel_arguments", settings.kernel_arguments}};
    return json::serialize(object) + "\n";
}

Result<Settings> settings_from_json(std::string_view text) {
    const auto corrupt = [](const std::string& field) {
        return fail(Errc::corrupt, "network boot's settings are wrong at '" + field + "'",
                    "write them anew: baton netboot enable");
    };
    boost::system::error_code error;
    const auto value = json::parse(text, error);
    if (error || !value.is_object())
        return corrupt("(all of it)");
    const auto& object = value.get_object();
    const auto* format = object.if_contains("format");
    if (format == nullptr || *format != "baton-netboot-settings-1")
        return corrupt("format");
    Settings settings;
    const auto* enabled = object.if_contains("enabled");
    if (enabled == nullptr || !enabled->is_bool())
        return corrupt("enabled");
    settings.enabled = enabled->get_bool();
    const auto* interfaces = object.if_contains("interfaces");
    if (interfaces == nullptr || !interfaces->is_array())
        return corrupt("interfaces");
    for (const auto& name : interfaces->get_array()) {
        if (!name.is_string())
            return corrupt("interfaces");
        settings.interfaces.emplace_back(name.get_string());
    }
    for (const auto& [name, place] :
         {std::pair{"address", &settings.address}, std::pair{"range_first", &settings.range_first},
          std::pair{"range_last", &settings.range_last}, std::pair{"netmask", &settings.netmask},
          std::pair{"router", &settings.router}, std::pair{"dns", &settings.dns},
          std::pair{"ipv6_prefix", &settings.ipv6_prefix},
          std::pair{"nfs_export", &settings.nfs_export},
          std::pair{"controller", &settings.controller},
          std::pair{"kernel_arguments", &settings.kernel_arguments}}) {
        const auto* field = object.if_contains(name);
        if (field == nullptr || !field->is_string())
            return corrupt(name);
        *place = std::string(field->get_string());
    }
    const auto* lease = object.if_contains("lease_minutes");
    const auto* port = object.if_contains("http_port");
    if (lease == nullptr || !lease->is_int64() || lease->get_int64() < 0 ||
        lease->get_int64() > 1'000'000)
        return corrupt("lease_minutes");
    if (port == nullptr || !port->is_int64() || port->get_int64() < 0 || port->get_int64() > 65535)
        return corrupt("http_port");
    settings.lease_minutes = static_cast<unsigned>(lease->get_int64());
    settings.http_port = static_cast<std::uint16_t>(port->get_int64());
    if (!read_word(object, "dhcp", std::array{Dhcp::own, Dhcp::proxy}, settings.dhcp))
        return corrupt("dhcp");
    if (!read_word(object, "kernel_by", std::array{KernelBy::http, KernelBy::tftp},
                   settings.kernel_by))
        return corrupt("kernel_by");
    if (!read_word(object, "root_by", std::array{RootBy::http, RootBy::nfs}, settings.root_by))
        return corrupt("root_by");
    if (settings.enabled)
        BATON_TRY(check(settings));
    return settings;
}

std::string network_of(const std::string& address, const std::string& netmask) {
    in_addr network{htonl(ipv4(address).value_or(0) & ipv4(netmask).value_or(0))};
    std::array<char, INET_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET, &network, text.data(), text.size());
    return text.data();
}

} // namespace baton::netboot
