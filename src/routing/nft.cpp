#include "routing/nft.h"

#include <boost/json.hpp>

#include <algorithm>

namespace baton::routing {

namespace json = boost::json;

namespace {

// ---- expressions ------------------------------------------------------------------------------

json::value text(const std::string& of) {
    return json::value(json::string(of));
}

/// {"name": value}. Written out: Boost.JSON takes nested braces of two for objects.
json::value object(const char* name, json::value value) {
    json::object result;
    result[name] = std::move(value);
    return result;
}

json::value payload(const char* protocol, const char* field) {
    return object("payload", json::object{{"protocol", protocol}, {"field", field}});
}

json::value meta(const char* key) {
    return object("meta", json::object{{"key", key}});
}

json::value match(const char* op, json::value left, json::value right) {
    return object("match",
                  json::object{{"op", op}, {"left", std::move(left)}, {"right", std::move(right)}});
}

json::value is(json::value left, json::value right) {
    return match("==", std::move(left), std::move(right));
}

json::value any_of(json::array values) {
    if (values.size() == 1)
        return values.front();
    return object("set", std::move(values));
}

json::value concat(json::array values) {
    return object("concat", std::move(values));
}

json::value network(const Ipv4Network& net) {
    if (net.prefix == 32)
        return json::value(to_string(net.address));
    return object("prefix", json::object{{"addr", to_string(net.address)}, {"len", net.prefix}});
}

json::value networks(const std::vector<Ipv4Network>& nets) {
    json::array values;
    for (const auto& net : nets)
        values.push_back(network(net));
    return any_of(std::move(values));
}

/// A statement without operands.
json::value plain(const char* statement) {
    return object(statement, nullptr);
}

json::value reject_tcp() {
    return object("reject", json::object{{"type", "tcp reset"}});
}

json::value reject_rest() {
    return object("reject", json::object{{"type", "icmp"}, {"expr", "admin-prohibited"}});
}

/// Belongs to a connection that was let through.
json::value known() {
    return match("in", object("ct", json::object{{"key", "state"}}),
                 json::array{"established", "related"});
}

/// Its destination was changed by a map.
json::value turned() {
    return match("in", object("ct", json::object{{"key", "status"}}), "dnat");
}

/// What a TCP packet of a client says of its connection: the key of the set `cut`.
json::value connection() {
    return concat({payload("ip", "saddr"), payload("tcp", "sport"), payload("ip", "daddr"),
                   payload("tcp", "dport")});
}

// ---- commands ---------------------------------------------------------------------------------

/// Collects the commands of one transaction.
class Batch {
  public:
    void add(const char* command, const char* kind, json::object what) {
        what["family"] = "ip";
        what["table"] = "baton";
        commands_.push_back(object(command, object(kind, std::move(what))));
    }

    /// A chain at a hook, without rules.
    void hook(const char* name, const char* type, const char* hook, int priority) {
        add("add", "chain",
            {{"name", name},
             {"type", type},
             {"hook", hook},
             {"prio", priority},
             {"policy", "accept"}});
        add("flush", "chain", {{"name", name}});
    }

    void chain(const char* name) {
        add("add", "chain", {{"name", name}});
        add("flush", "chain", {{"name", name}});
    }

    void rule(const char* chain, json::array expressions) {
        add("add", "rule", {{"chain", chain}, {"expr", std::move(expressions)}});
    }

    void elements(const char* command, const char* set, json::array elements) {
        if (!elements.empty())
            add(command, "element", {{"name", set}, {"elem", std::move(elements)}});
    }

    [[nodiscard]] json::value take() { return object("nftables", std::move(commands_)); }

  private:
    json::array commands_;
};

/// The layout as the right sides of matches.
struct Sides {
    json::value client_interfaces, client_networks, inner_interfaces;

    explicit Sides(const Layout& layout) {
        json::array interfaces;
        std::vector<Ipv4Network> nets;
        for (const auto& side : layout.clients) {
            interfaces.emplace_back(side.interface);
            nets.push_back(side.network);
        }
        client_interfaces = any_of(interfaces);
        client_networks = networks(nets);
        interfaces.emplace_back(layout.hosts.interface);
        inner_interfaces = any_of(interfaces);
    }
};

void cut_chains(Batch& batch) {
    constexpr int before_tracking = -300;
    batch.hook("cutting", "filter", "prerouting", before_tracking);
    // nft 1.0.6 takes two operands and no more
    const auto either = [](json::value a, json::value b) {
        return object("|", json::array{std::move(a), std::move(b)});
    };
    const auto flags = either("fin", either("syn", either("rst", "ack")));
    const auto of_flags = object("&", json::array{payload("tcp", "flags"), flags});
    const auto forget =
        object("set", json::object{{"op", "delete"}, {"elem", connection()}, {"set", "@cut"}});
    batch.rule("cutting", {is(of_flags, "syn"), forget});
    batch.rule("cutting", {is(connection(), "@cut"), reject_tcp()});
    batch.hook("probing", "filter", "output", before_tracking);
    batch.rule("probing", {is(meta("mark"), probe_mark), plain("notrack")});
}

void nat_chains(Batch& batch, const Layout& layout, const Sides& sides) {
    batch.hook("pointing", "nat", "prerouting", -100);
    const auto to_us =
        object("fib", json::object{{"result", "type"}, {"flags", json::array{"daddr"}}});
    const auto key = concat({payload("ip", "saddr"), payload("tcp", "dport")});
    const auto lookup = object("map", json::object{{"key", key}, {"data", "@route"}});
    const auto turn = object("dnat", json::object{{"family", "ip"}, {"addr", lookup}});
    batch.rule("pointing",
               {is(meta("iifname"), sides.client_interfaces), is(to_us, "local"), turn});
    batch.hook("hiding", "nat", "postrouting", 100);
    // a screen answers to the boot server's own address, whatever routes its host has
    batch.rule("hiding",
               {is(meta("oifname"), text(layout.hosts.interface)),
                is(payload("ip", "saddr"), sides.client_networks), turned(), plain("masquerade")});
    if (layout.outside.empty())
        return;
    auto inner = layout.desktops;
    for (const auto& side : layout.clients)
        inner.push_back(side.network);
    batch.rule("hiding", {is(meta("oifname"), text(layout.outside)),
                          is(payload("ip", "saddr"), networks(inner)), plain("masquerade")});
}

void pass_chains(Batch& batch, const Layout& layout, const Sides& sides) {
    // rules first jump to `judging`, so it has to be there
    batch.chain("judging");

    batch.rule("judging", {known(), plain("accept")});
    const auto from_clients = [&](json::array more) {
        json::array rule{is(meta("iifname"), sides.client_interfaces),
                         is(payload("ip", "saddr"), sides.client_networks)};
        rule.insert(rule.end(), more.begin(), more.end());
        rule.push_back(plain("accept"));
        batch.rule("judging", std::move(rule));
    };
    from_clients({is(meta("oifname"), text(layout.hosts.interface)),
                  is(payload("ip", "daddr"), network(layout.hosts.network)), turned()});
    if (!layout.outside.empty()) {
        from_clients({is(meta("oifname"), text(layout.outside))});
        if (!layout.desktops.empty())
            batch.rule("judging", {is(meta("iifname"), text(layout.hosts.interface)),
                                   is(payload("ip", "saddr"), networks(layout.desktops)),
                                   is(meta("oifname"), text(layout.outside)), plain("accept")});
    }
    batch.rule("judging", {is(meta("l4proto"), "tcp"), reject_tcp()});
    batch.rule("judging", {reject_rest()});

    // what neither comes from nor goes to one of our sides is none of our business
    batch.hook("passing", "filter", "forward", 0);
    for (const char* direction : {"iifname", "oifname"})
        batch.rule("passing", {is(meta(direction), sides.inner_interfaces),
                               object("goto", json::object{{"target", "judging"}})});
}

/// Desktops are strangers' programs: of the boot server they get names and an echo, nothing else.
void guard_chain(Batch& batch, const Layout& layout) {
    batch.hook("guarding", "filter", "input", 0);
    if (layout.desktops.empty())
        return;
    const auto from_desktops = [&](json::array more) {
        json::array rule{is(meta("iifname"), text(layout.hosts.interface)),
                         is(payload("ip", "saddr"), networks(layout.desktops))};
        rule.insert(rule.end(), more.begin(), more.end());
        batch.rule("guarding", std::move(rule));
    };
    from_desktops({known(), plain("accept")});
    from_desktops(
        {is(payload("udp", "dport"), object("set", json::array{53, 67})), plain("accept")});
    from_desktops({is(payload("tcp", "dport"), 53), plain("accept")});
    from_desktops({is(payload("icmp", "type"), "echo-request"), plain("accept")});
    from_desktops({is(meta("l4proto"), "tcp"), reject_tcp()});
    from_desktops({reject_rest()});
}

json::value key_of(const Route& route) {
    return concat({text(route.client), route.listen_port});
}

json::value element_of(const Route& route) {
    const auto key =
        object("elem", json::object{{"val", key_of(route)}, {"comment", route.session.value}});
    return json::array{key, concat({text(route.target.address), route.target.port})};
}

bool among(const std::vector<Route>& routes, const Route& route) {
    return std::find(routes.begin(), routes.end(), route) != routes.end();
}

} // namespace

std::string_view base_ruleset() {
    return "add table ip baton\n"
           "add map ip baton route { type ipv4_addr . inet_service : ipv4_addr . inet_service; }\n"
           "add set ip baton cut { type ipv4_addr . inet_service . ipv4_addr . inet_service; "
           "flags dynamic,timeout; timeout 60s; size 65536; }\n";
}

json::value chains_for(const Layout& layout) {
    Batch batch;
    const Sides sides(layout);
    cut_chains(batch);
    nat_chains(batch, layout, sides);
    pass_chains(batch, layout, sides);
    guard_chain(batch, layout);
    return batch.take();
}

json::value change_of(const std::vector<Route>& before, const std::vector<Route>& after,
                      const std::vector<Flow>& cut) {
    Batch batch;
    json::array gone;
    json::array fresh;
    json::array resets;
    for (const auto& route : before)
        if (!among(after, route))
            gone.push_back(key_of(route));
    for (const auto& route : after)
        if (!among(before, route))
            fresh.push_back(element_of(route));
    for (const auto& flow : cut)
        resets.push_back(object(
            "elem", json::object{{"val", concat({text(to_string(flow.client)), flow.client_port,
                                                 text(to_string(flow.server)), flow.listen_port})},
                                 {"timeout", cut_memory.count()}}));
    batch.elements("delete", "route", std::move(gone));
    batch.elements("add", "route", std::move(fresh));
    batch.elements("add", "cut", std::move(resets));
    return batch.take();
}

} // namespace baton::routing
