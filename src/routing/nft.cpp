#include "routing/nft.h"

#include "routing/nft_words.h"

#include <boost/json.hpp>

#include <algorithm>

namespace baton::routing {

namespace json = boost::json;

using namespace nft_words;

namespace {

/// What a TCP packet of a client says of its connection: the key of the set `cut`.
json::value connection() {
    return concat({payload("ip", "saddr"), payload("tcp", "sport"), payload("ip", "daddr"),
                   payload("tcp", "dport")});
}

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
    // neighbours on one network: a bridge of this machine whose frames netfilter is made to look at
    auto sides_of_all = layout.clients;
    sides_of_all.push_back(layout.hosts);
    for (const auto& side : sides_of_all)
        batch.rule("judging", {is(meta("iifname"), text(side.interface)),
                               is(meta("oifname"), text(side.interface)),
                               is(payload("ip", "saddr"), network(side.network)),
                               is(payload("ip", "daddr"), network(side.network)), plain("accept")});
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
    Batch batch("baton");
    const Sides sides(layout);
    cut_chains(batch);
    nat_chains(batch, layout, sides);
    pass_chains(batch, layout, sides);
    guard_chain(batch, layout);
    return batch.take();
}

json::value change_of(const std::vector<Route>& before, const std::vector<Route>& after,
                      const std::vector<Flow>& cut) {
    Batch batch("baton");
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
