#include "routing/layout.h"

#include <boost/json.hpp>

#include <algorithm>
#include <set>

namespace baton::routing {

namespace json = boost::json;

namespace {

tl::unexpected<Error> wrong(const std::string& field, const std::string& why) {
    return fail(Errc::invalid_argument, "the network's settings: '" + field + "' " + why,
                "they are described in docs/network.md");
}

Result<std::string> interface_from(const json::value* value, const std::string& field) {
    if (value == nullptr || !value->is_string() || !check_interface(value->get_string()))
        return wrong(field, "is not the name of a network interface");
    return std::string(value->get_string());
}

Result<Ipv4Network> network_from(const json::value* value, const std::string& field) {
    if (value == nullptr || !value->is_string())
        return wrong(field, "is not a network like 10.98.0.0/24");
    auto network = parse_network(value->get_string());
    if (!network)
        return wrong(field, "is wrong: " + network.error().what);
    return network;
}

Result<Side> side_from(const json::value& value, const std::string& field) {
    if (!value.is_object())
        return wrong(field, "is not an object with interface and network");
    auto interface =
        interface_from(value.get_object().if_contains("interface"), field + ".interface");
    if (!interface)
        return tl::unexpected(interface.error());
    auto network = network_from(value.get_object().if_contains("network"), field + ".network");
    if (!network)
        return tl::unexpected(network.error());
    return Side{std::move(*interface), *network};
}

Result<void> check_apart(const Layout& layout) {
    std::vector<Ipv4Network> networks = layout.desktops;
    std::vector<std::string> interfaces{layout.hosts.interface};
    networks.push_back(layout.hosts.network);
    for (const auto& side : layout.clients) {
        networks.push_back(side.network);
        interfaces.push_back(side.interface);
    }
    if (!layout.outside.empty())
        interfaces.push_back(layout.outside);
    for (std::size_t i = 0; i < networks.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (networks[i].overlaps(networks[j]))
                return wrong(to_string(networks[i]), "overlaps " + to_string(networks[j]) +
                                                         ": who is behind it could not be told");
    std::sort(interfaces.begin(), interfaces.end());
    const auto twice = std::adjacent_find(interfaces.begin(), interfaces.end());
    if (twice != interfaces.end())
        return wrong(*twice, "is the interface of two sides: clients, hosts and the outside must "
                             "be apart");
    return {};
}

} // namespace

Result<void> check_interface(std::string_view name) {
    const bool good = !name.empty() && name.size() <= 15 &&
                      std::all_of(name.begin(), name.end(), [](unsigned char c) {
                          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                 (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
                                 c == '@';
                      });
    if (!good)
        return fail(Errc::invalid_argument, "'" + std::string(name.substr(0, 60)) +
                                                "' is not the name of a network interface");
    return {};
}

Result<Layout> layout_from_json(std::string_view text) {
    boost::system::error_code error;
    const auto value = json::parse(text, error);
    if (error || !value.is_object())
        return wrong("(all of them)", "are not a JSON object");
    const auto& object = value.get_object();
    Layout layout;
    const auto* clients = object.if_contains("clients");
    if (clients == nullptr || !clients->is_array() || clients->get_array().empty())
        return wrong("clients", "is not a list of at least one interface with its network");
    for (const auto& entry : clients->get_array()) {
        auto side = side_from(entry, "clients");
        if (!side)
            return tl::unexpected(side.error());
        layout.clients.push_back(std::move(*side));
    }
    const auto* hosts = object.if_contains("hosts");
    auto side = side_from(hosts != nullptr ? *hosts : json::value(), "hosts");
    if (!side)
        return tl::unexpected(side.error());
    layout.hosts = std::move(*side);
    if (const auto* desktops = object.if_contains("desktops"); desktops != nullptr) {
        if (!desktops->is_array())
            return wrong("desktops", "is not a list of networks");
        for (const auto& entry : desktops->get_array()) {
            const auto network = network_from(&entry, "desktops");
            if (!network)
                return tl::unexpected(network.error());
            layout.desktops.push_back(*network);
        }
    }
    if (const auto* outside = object.if_contains("outside"); outside != nullptr) {
        auto interface = interface_from(outside, "outside");
        if (!interface)
            return tl::unexpected(interface.error());
        layout.outside = std::move(*interface);
    }
    BATON_TRY(check_apart(layout));
    return layout;
}

Result<void> check_session(const SessionId& session) {
    const auto& id = session.value;
    const bool good = id.size() >= 3 && id.size() <= 40 && id.starts_with("s-") &&
                      std::all_of(id.begin() + 2, id.end(), [](unsigned char c) {
                          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
                      });
    if (!good)
        return fail(Errc::invalid_argument,
                    "'" + id.substr(0, 60) + "' is not the id of a session");
    return {};
}

Result<void> check_route(const Layout& layout, const Route& route) {
    BATON_TRY(check_session(route.session));
    const auto client = parse_ipv4(route.client);
    if (!client)
        return tl::unexpected(client.error().in("the route's client"));
    const auto target = parse_ipv4(route.target.address);
    if (!target)
        return tl::unexpected(target.error().in("the route's target"));
    if (route.listen_port == 0 || route.target.port == 0)
        return fail(Errc::invalid_argument, "a route needs a port to listen on and one to go to");
    const bool known = std::any_of(layout.clients.begin(), layout.clients.end(),
                                   [&](const Side& s) { return s.network.contains(*client); });
    if (!known)
        return fail(Errc::refused, route.client + " is not in a client network",
                    "client networks are set in the helper's configuration (docs/network.md)");
    if (!layout.hosts.network.contains(*target))
        return fail(Errc::refused,
                    route.target.address + " is not in the hosts' network, " +
                        to_string(layout.hosts.network),
                    "routes lead to the screens of hosts and nowhere else");
    return {};
}

Result<void> check_routes(const Layout& layout, const std::vector<Route>& routes) {
    std::set<std::pair<std::string, std::uint16_t>> keys;
    std::set<SessionId> sessions;
    for (const auto& route : routes) {
        BATON_TRY(check_route(layout, route));
        const bool first = keys.emplace(route.client, route.listen_port).second;
        if (!first || !sessions.insert(route.session).second)
            return fail(Errc::invalid_argument, "the routes hold port " +
                                                    std::to_string(route.listen_port) +
                                                    " of client " + route.client + ", or session " +
                                                    route.session.value + ", twice");
    }
    return {};
}

} // namespace baton::routing
