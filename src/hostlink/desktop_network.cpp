#include "hostlink/desktop_network.h"

#include "hypervisor/libvirt_handles.h"
#include "hypervisor/xml.h"

#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <charconv>
#include <memory>

namespace baton::hostlink {

namespace xml = hypervisor::xml;

namespace {

/// Numbers of our own for the routing table and the rule's place, below the main table's.
constexpr const char* table = "7101";
constexpr const char* priority = "7101";

std::string dotted(std::uint32_t address) {
    return fmt::format("{}.{}.{}.{}", address >> 24U, (address >> 16U) & 255U,
                       (address >> 8U) & 255U, address & 255U);
}

bool read_number(std::string_view& text, char end, std::uint32_t most, std::uint32_t& into) {
    const auto [rest, status] = std::from_chars(text.data(), text.data() + text.size(), into);
    if (status != std::errc{} || into > most)
        return false;
    text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
    if (end == '\0')
        return text.empty();
    if (text.empty() || text.front() != end)
        return false;
    text.remove_prefix(1);
    return true;
}

bool read_address(std::string_view& text, char end, std::uint32_t& address) {
    address = 0;
    for (int part = 0; part < 4; ++part) {
        std::uint32_t number = 0;
        if (!read_number(text, part < 3 ? '.' : end, 255, number))
            return false;
        address = (address << 8U) | number;
    }
    return true;
}

} // namespace

std::string Subnet::text() const {
    return dotted(base) + "/" + std::to_string(prefix);
}

std::string Subnet::mask() const {
    return dotted(~(size() - 1U));
}

std::string Subnet::address(std::uint32_t n) const {
    return dotted(base + n);
}

Result<Subnet> parse_subnet(std::string_view text) {
    const auto bad = [text](const std::string& why) {
        return fail(Errc::invalid_argument,
                    fmt::format("'{}' is no network of desktops: {}", text, why),
                    "write for example 10.101.1.0/24");
    };
    Subnet subnet;
    auto rest = text;
    std::uint32_t prefix = 0;
    if (!read_address(rest, '/', subnet.base) || !read_number(rest, '\0', 32, prefix))
        return bad("it is not of the form address/length");
    if (prefix < 16 || prefix > 29)
        return bad("its length must be from 16 to 29");
    subnet.prefix = prefix;
    if ((subnet.base & (subnet.size() - 1U)) != 0)
        return bad(fmt::format("the network is {}",
                               Subnet{subnet.base & ~(subnet.size() - 1U), prefix}.text()));
    return subnet;
}

std::string network_xml(const DesktopNetwork& network) {
    const auto document = xml::make("network");
    auto* root = xml::root(document);
    xml::add(root, "name", {}, network.name);
    // "open": routed, and libvirt leaves the host's firewall alone.
    xml::add(root, "forward", {{"mode", "open"}});
    xml::add(root, "bridge", {{"name", network.bridge}, {"stp", "off"}, {"delay", "0"}});
    const auto& subnet = network.subnet;
    auto* ip = xml::add(root, "ip", {{"address", subnet.address(1)}, {"netmask", subnet.mask()}});
    auto* dhcp = xml::add(ip, "dhcp");
    xml::add(dhcp, "range",
             {{"start", subnet.address(2)}, {"end", subnet.address(subnet.size() - 2)}});
    return xml::text(document);
}

Result<DesktopNetwork> network_from_xml(const std::string& text) {
    const auto document = xml::parse(text);
    if (!document)
        return fail(Errc::corrupt, "libvirt's description of a network is no XML");
    DesktopNetwork network;
    network.name = xml::value(document, "/network/name");
    network.bridge = xml::value(document, "/network/bridge/@name");
    const auto address = xml::value(document, "/network/ip/@address");
    const auto mask = xml::value(document, "/network/ip/@netmask");
    std::uint32_t first = 0;
    std::uint32_t bits = 0;
    std::string_view rest = address;
    std::string_view mask_rest = mask;
    if (!read_address(rest, '\0', first) || !read_address(mask_rest, '\0', bits))
        return fail(Errc::corrupt, "libvirt's description of a network has no IPv4 address");
    network.subnet.base = first & bits;
    network.subnet.prefix = static_cast<unsigned>(__builtin_popcount(bits));
    return network;
}

std::vector<std::vector<std::string>> routing_commands(const DesktopNetwork& network,
                                                       std::string_view rules) {
    if (network.gateway.empty())
        return {};
    std::vector<std::vector<std::string>> commands;
    commands.push_back({"ip", "-4", "route", "replace", network.subnet.text(), "dev",
                        network.bridge, "table", table});
    commands.push_back(
        {"ip", "-4", "route", "replace", "default", "via", network.gateway, "table", table});
    boost::system::error_code ill;
    const auto present = boost::json::parse({rules.data(), rules.size()}, ill);
    bool there = false;
    if (!ill && present.is_array())
        for (const auto& entry : present.get_array()) {
            if (!entry.is_object())
                continue;
            const auto& rule = entry.get_object();
            const auto is = [&rule](const char* key, const std::string& wanted) {
                const auto* value = rule.if_contains(key);
                return value != nullptr && value->is_string() && value->get_string() == wanted;
            };
            if (!is("table", table))
                continue;
            if (is("iif", network.bridge))
                there = true;
            else if (const auto* old = rule.if_contains("iif"); old != nullptr && old->is_string())
                commands.push_back({"ip", "-4", "rule", "delete", "iif",
                                    std::string(old->get_string()), "lookup", table});
        }
    if (!there)
        commands.push_back({"ip", "-4", "rule", "add", "priority", priority, "iif", network.bridge,
                            "lookup", table});
    return commands;
}

// ---- libvirt
// --------------------------------------------------------------------------------------

namespace {

struct Free {
    void operator()(virNetwork* network) const { virNetworkFree(network); }

    void operator()(char* text) const { std::free(text); } // NOLINT: libvirt's own convention

    void operator()(virConnect* connection) const { virConnectClose(connection); }

    void operator()(virDomain* domain) const { virDomainFree(domain); }
};

using NetworkPtr = std::unique_ptr<virNetwork, Free>;
using TextPtr = std::unique_ptr<char, Free>;
using ConnectionPtr = std::unique_ptr<virConnect, Free>;

Result<ConnectionPtr> connect(const std::string& uri) {
    // The adapter registers libvirt's event loop, which has to be done before the first connection.
    static const auto events = hypervisor::run_libvirt_events();
    ConnectionPtr connection(virConnectOpen(uri.c_str()));
    if (connection)
        return connection;
    auto error = hypervisor::libvirt_error(fmt::format("connecting to libvirt at {}", uri));
    error.code = Errc::unavailable;
    error.hint = "install libvirt-daemon-system and start it: systemctl start libvirtd";
    return tl::unexpected(error);
}

/// Is any running domain, ours or not, on that bridge or network?
Result<bool> in_use(virConnect* connection, const DesktopNetwork& network) {
    virDomainPtr* domains = nullptr;
    const int count =
        virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    if (count < 0)
        return hypervisor::fail_libvirt("listing the domains");
    bool used = false;
    for (int i = 0; i < count; ++i) {
        const std::unique_ptr<virDomain, Free> domain(domains[i]);
        const TextPtr text(virDomainGetXMLDesc(domain.get(), 0));
        if (!text)
            continue; // gone meanwhile
        const auto document = xml::parse(text.get());
        if (!document)
            continue;
        for (const auto* path : {"/domain/devices/interface/source/@network",
                                 "/domain/devices/interface/source/@bridge"})
            for (auto* node : xml::find(document, path)) {
                const std::unique_ptr<xmlChar, decltype(xmlFree)> value(xmlNodeGetContent(node),
                                                                        xmlFree);
                const std::string name(reinterpret_cast<const char*>(value.get()));
                used = used || name == network.name || name == network.bridge;
            }
    }
    std::free(domains); // NOLINT
    return used;
}

Result<void> create(virConnect* connection, const DesktopNetwork& network) {
    const NetworkPtr made(virNetworkCreateXML(connection, network_xml(network).c_str()));
    if (made)
        return {};
    auto error = hypervisor::libvirt_error(fmt::format("making the network {} of the desktops ({})",
                                                       network.name, network.subnet.text()));
    if (error.hint.empty())
        error.hint = "is dnsmasq-base installed, and are the bridge and the network free?";
    return tl::unexpected(error);
}

} // namespace

Result<void> reach_libvirt(const std::string& uri) {
    const auto connection = connect(uri);
    if (!connection)
        return tl::unexpected(connection.error());
    return {};
}

Result<void> ensure_network(const std::string& uri, const DesktopNetwork& network) {
    const auto connection = connect(uri);
    if (!connection)
        return tl::unexpected(connection.error());
    const NetworkPtr there(virNetworkLookupByName(connection->get(), network.name.c_str()));
    if (!there)
        return create(connection->get(), network);
    const TextPtr text(virNetworkGetXMLDesc(there.get(), 0));
    if (!text)
        return hypervisor::fail_libvirt(fmt::format("looking at the network {}", network.name));
    auto present = network_from_xml(text.get());
    const bool active = virNetworkIsActive(there.get()) == 1;
    if (present && active) {
        present->gateway = network.gateway;
        if (*present == network)
            return {};
        const auto used = in_use(connection->get(), *present);
        if (!used)
            return tl::unexpected(used.error());
        if (*used)
            return fail(Errc::busy,
                        fmt::format("the network {} is {} on {}, desktops are on it, and it should "
                                    "be {} on {}",
                                    network.name, present->subnet.text(), present->bridge,
                                    network.subnet.text(), network.bridge),
                        "drain this host first, or keep the network as it is");
    }
    if (active && virNetworkDestroy(there.get()) != 0)
        return hypervisor::fail_libvirt(fmt::format("replacing the network {}", network.name));
    if (virNetworkIsPersistent(there.get()) == 1)
        return fail(Errc::already_exists,
                    fmt::format("libvirt has a network '{}' that somebody defined", network.name),
                    "give the desktops' network another name in hostd.toml");
    return create(connection->get(), network);
}

} // namespace baton::hostlink
