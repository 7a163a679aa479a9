/// The command lines of nft(8) and conntrack(8), and what they answer.
#include "routing/nft.h"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

namespace baton::routing {

namespace json = boost::json;

namespace {

/// Each of them answers in milliseconds; a kernel that is busier than this has other troubles.
constexpr std::chrono::milliseconds tool_deadline{3'000};

tl::unexpected<Error> strange_map(const std::string& what) {
    return fail(Errc::corrupt, "the kernel's map of routes holds " + what,
                "somebody else writes into the table 'ip baton'; remove it with: nft delete table "
                "ip baton, and restart baton-helper");
}

std::optional<Endpoint> endpoint_from(const json::value& value) {
    const auto* object = value.if_object();
    const auto* parts = object != nullptr ? object->if_contains("concat") : nullptr;
    if (parts == nullptr || !parts->is_array() || parts->get_array().size() != 2)
        return std::nullopt;
    const auto& address = parts->get_array()[0];
    const auto& port = parts->get_array()[1];
    if (!address.is_string() || !port.is_int64() || port.get_int64() < 1 ||
        port.get_int64() > 65535)
        return std::nullopt;
    return Endpoint{std::string(address.get_string()),
                    static_cast<std::uint16_t>(port.get_int64())};
}

std::optional<Route> route_from(const json::value& element) {
    const auto* pair = element.if_array();
    if (pair == nullptr || pair->size() != 2)
        return std::nullopt;
    const auto* outer = (*pair)[0].if_object();
    const auto* inner = outer != nullptr ? outer->if_contains("elem") : nullptr;
    if (inner == nullptr || !inner->is_object())
        return std::nullopt;
    const auto* key = inner->get_object().if_contains("val");
    const auto* comment = inner->get_object().if_contains("comment");
    if (key == nullptr || comment == nullptr || !comment->is_string())
        return std::nullopt;
    const auto from = endpoint_from(*key);
    const auto to = endpoint_from((*pair)[1]);
    if (!from || !to)
        return std::nullopt;
    return Route{SessionId(std::string(comment->get_string())), from->address, from->port, *to};
}

/// conntrack's "key=value" words of one line: the original direction's, then the reply's.
using Direction = std::map<std::string_view, std::string_view>;

std::array<Direction, 2> directions_of(std::string_view line) {
    std::array<Direction, 2> both;
    while (!line.empty()) {
        const auto end = std::min(line.find(' '), line.size());
        const auto word = line.substr(0, end);
        line.remove_prefix(std::min(end + 1, line.size()));
        const auto equals = word.find('=');
        if (equals == std::string_view::npos)
            continue;
        const auto name = word.substr(0, equals);
        const auto value = word.substr(equals + 1);
        if (!both[0].emplace(name, value).second)
            both[1].emplace(name, value);
    }
    return both;
}

std::optional<std::uint16_t> port_in(const Direction& direction, std::string_view name) {
    const auto at = direction.find(name);
    if (at == direction.end())
        return std::nullopt;
    std::uint16_t port = 0;
    const auto text = at->second;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (wrong != std::errc() || end != text.data() + text.size() || port == 0)
        return std::nullopt;
    return port;
}

std::optional<Ipv4> address_in(const Direction& direction, std::string_view name) {
    const auto at = direction.find(name);
    if (at == direction.end())
        return std::nullopt;
    const auto address = parse_ipv4(at->second);
    return address ? std::optional(*address) : std::nullopt;
}

std::optional<Flow> flow_from(std::string_view line) {
    if (!line.starts_with("tcp "))
        return std::nullopt;
    // both ends have closed it: the kernel only remembers the name
    for (const auto* over : {" TIME_WAIT ", " CLOSE "})
        if (line.find(over) != std::string_view::npos)
            return std::nullopt;
    const auto [original, reply] = directions_of(line);
    const auto client = address_in(original, "src");
    const auto server = address_in(original, "dst");
    const auto target = address_in(reply, "src");
    const auto client_port = port_in(original, "sport");
    const auto listen_port = port_in(original, "dport");
    const auto target_port = port_in(reply, "sport");
    if (!client || !server || !target || !client_port || !listen_port || !target_port)
        return std::nullopt;
    const bool connecting = line.find(" SYN_SENT ") != std::string_view::npos ||
                            line.find(" SYN_RECV ") != std::string_view::npos;
    return Flow{*client, *client_port, *server, *listen_port, *target, *target_port, connecting};
}

} // namespace

process::Command nft_text_command(std::string_view ruleset) {
    process::Command command;
    command.words = {"nft", "-f", "-"};
    command.input = ruleset;
    command.deadline = tool_deadline;
    return command;
}

process::Command nft_json_command(const json::value& ruleset) {
    process::Command command;
    command.words = {"nft", "-j", "-f", "-"};
    command.input = json::serialize(ruleset);
    command.deadline = tool_deadline;
    return command;
}

process::Command list_routes_command() {
    process::Command command;
    command.words = {"nft", "-j", "list", "map", "ip", "baton", "route"};
    command.deadline = tool_deadline;
    return command;
}

process::Command list_flows_command(const std::string& client) {
    process::Command command;
    command.words = {"conntrack", "-L", "-f", "ipv4", "-p", "tcp", "--dst-nat"};
    if (!client.empty())
        command.words.insert(command.words.end(), {"--orig-src", client});
    command.deadline = tool_deadline;
    return command;
}

process::Command forget_flows_command(const Flow& flow) {
    process::Command command;
    command.words = {"conntrack",
                     "-D",
                     "-f",
                     "ipv4",
                     "-p",
                     "tcp",
                     "--orig-src",
                     to_string(flow.client),
                     "--orig-port-dst",
                     std::to_string(flow.listen_port),
                     "--reply-src",
                     to_string(flow.target),
                     "--reply-port-src",
                     std::to_string(flow.target_port)};
    command.deadline = tool_deadline;
    return command;
}

Result<std::vector<Route>> routes_from_nft(std::string_view text) {
    boost::system::error_code wrong;
    const auto value = json::parse(text, wrong);
    const auto* object = wrong ? nullptr : value.if_object();
    const auto* items = object != nullptr ? object->if_contains("nftables") : nullptr;
    if (items == nullptr || !items->is_array())
        return strange_map("what nft cannot say in JSON");
    std::vector<Route> routes;
    for (const auto& item : items->get_array()) {
        const auto* map = item.is_object() ? item.get_object().if_contains("map") : nullptr;
        const auto* elements =
            map != nullptr && map->is_object() ? map->get_object().if_contains("elem") : nullptr;
        if (elements == nullptr)
            continue;
        if (!elements->is_array())
            return strange_map("no list of elements");
        for (const auto& element : elements->get_array()) {
            auto route = route_from(element);
            if (!route)
                return strange_map("an element that is no route of ours: " +
                                   json::serialize(element).substr(0, 200));
            routes.push_back(std::move(*route));
        }
    }
    return routes;
}

std::vector<Flow> flows_from_conntrack(std::string_view text) {
    std::vector<Flow> flows;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        if (const auto flow = flow_from(text.substr(0, end)))
            flows.push_back(*flow);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return flows;
}

std::vector<Flow> stray_flows(const Layout& layout, const std::vector<Flow>& flows,
                              const std::vector<Route>& routes) {
    std::map<std::pair<std::string, std::uint16_t>, Endpoint> leads;
    for (const auto& route : routes)
        leads[{route.client, route.listen_port}] = route.target;
    std::vector<Flow> stray;
    for (const auto& flow : flows) {
        const bool ours =
            layout.hosts.network.contains(flow.target) &&
            std::any_of(layout.clients.begin(), layout.clients.end(),
                        [&](const Side& s) { return s.network.contains(flow.client); });
        if (!ours)
            continue;
        const auto lead = leads.find({to_string(flow.client), flow.listen_port});
        if (lead == leads.end() ||
            lead->second != Endpoint{to_string(flow.target), flow.target_port})
            stray.push_back(flow);
    }
    return stray;
}

} // namespace baton::routing
