#include "routing/host_guard.h"
#include "routing/layout.h"
#include "routing/memory_router.h"
#include "routing/nft.h"
#include "routing/probe.h"
#include "support/router_contract.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace baton::routing {
namespace {

namespace json = boost::json;

Layout layout() {
    return baton::testing::contract_layout();
}

TEST(Ipv4, ReadsAddressesAndNothingElse) {
    EXPECT_EQ(parse_ipv4("10.98.0.50")->value, 0x0a620032U);
    EXPECT_EQ(to_string(parse_ipv4("255.255.255.255").value()), "255.255.255.255");
    for (const auto* text :
         {"", "10", "10.0.0", "10.0.0.256", "10.0.0.1.", "10.0.0.01", "10.0.0.1 ", " 10.0.0.1",
          "10..0.1", "10.0.0.-1", "::1", "10.0.0.1/8", "host1"})
        EXPECT_FALSE(parse_ipv4(text)) << text;
}

TEST(Ipv4, ReadsNetworks) {
    const auto network = parse_network("10.98.0.0/24").value();
    EXPECT_TRUE(network.contains(parse_ipv4("10.98.0.255").value()));
    EXPECT_FALSE(network.contains(parse_ipv4("10.98.1.0").value()));
    EXPECT_TRUE(network.overlaps(parse_network("10.0.0.0/8").value()));
    EXPECT_FALSE(network.overlaps(parse_network("10.99.0.0/24").value()));
    for (const auto* text :
         {"10.98.0.0", "10.98.0.0/0", "10.98.0.0/33", "10.98.0.0/", "10.98.0/24", "10.98.0.0/24x"})
        EXPECT_FALSE(parse_network(text)) << text;
    EXPECT_NE(parse_network("10.98.0.7/24").error().what.find("10.98.0.0/24"), std::string::npos);
}

TEST(LayoutTest, NamesTheFieldThatIsWrong) {
    const auto message = [](const std::string& text) {
        const auto result = layout_from_json(text);
        return result ? std::string("accepted") : result.error().message();
    };
    EXPECT_NE(message("{}").find("'clients'"), std::string::npos);
    EXPECT_NE(message("x").find("JSON"), std::string::npos);
    const std::string clients = R"({"clients":[{"interface":"c","network":"10.98.0.0/24"}],)";
    EXPECT_NE(message(clients + R"("hosts":{"interface":"h*","network":"10.99.0.0/24"}})")
                  .find("'hosts.interface'"),
              std::string::npos);
    EXPECT_NE(message(clients + R"("hosts":{"interface":"h","network":"10.99.0.0"}})")
                  .find("'hosts.network'"),
              std::string::npos);
    EXPECT_NE(message(clients + R"("hosts":{"interface":"h","network":"10.98.0.0/16"}})")
                  .find("overlaps"),
              std::string::npos);
    EXPECT_NE(message(clients + R"("hosts":{"interface":"c","network":"10.99.0.0/24"}})")
                  .find("two sides"),
              std::string::npos);
}

TEST(CheckRoute, RefusesWhatLeadsElsewhere) {
    const Route good{SessionId("s-abcdefgh"), "10.98.0.51", 6001, {"10.99.0.11", 5901}};
    EXPECT_TRUE(check_route(layout(), good));
    const auto code = [&](auto change) {
        auto route = good;
        change(route);
        const auto result = check_route(layout(), route);
        return result ? Errc::internal : result.error().code;
    };
    EXPECT_EQ(code([](Route& r) { r.client = "10.97.0.1"; }), Errc::refused);
    EXPECT_EQ(code([](Route& r) { r.client = "10.98.0.51 }"; }), Errc::invalid_argument);
    EXPECT_EQ(code([](Route& r) { r.target.address = "8.8.8.8"; }), Errc::refused);
    EXPECT_EQ(code([](Route& r) { r.target.port = 0; }), Errc::invalid_argument);
    EXPECT_EQ(code([](Route& r) { r.listen_port = 0; }), Errc::invalid_argument);
    for (const auto* id : {"", "s-", "d-abcdefgh", "s-ABC", "s-a\"b", "s-a b"})
        EXPECT_EQ(code([&](Route& r) { r.session = SessionId(id); }), Errc::invalid_argument) << id;
}

TEST(Nft, OneChangeIsOneTransactionThatLeavesTheRestAlone) {
    const Route stays{SessionId("s-stays000"), "10.98.0.52", 6002, {"10.99.0.11", 5902}};
    const Route old{SessionId("s-kim00000"), "10.98.0.51", 6001, {"10.99.0.11", 5901}};
    auto fresh = old;
    fresh.target = {"10.99.0.12", 5903};
    const Flow flow{parse_ipv4("10.98.0.51").value(), 40001, parse_ipv4("10.98.0.1").value(), 6001,
                    parse_ipv4("10.99.0.11").value(), 5901};
    EXPECT_EQ(change_of({stays, old}, {stays, fresh}, {flow}), json::parse(
                                                                   R"({"nftables":[
            {"delete":{"element":{"name":"route","elem":[{"concat":["10.98.0.51",6001]}],
                                  "family":"ip","table":"baton"}}},
            {"add":{"element":{"name":"route","elem":[[
                {"elem":{"val":{"concat":["10.98.0.51",6001]},"comment":"s-kim00000"}},
                {"concat":["10.99.0.12",5903]}]],"family":"ip","table":"baton"}}},
            {"add":{"element":{"name":"cut","elem":[
                {"elem":{"val":{"concat":["10.98.0.51",40001,"10.98.0.1",6001]},"timeout":60}}],
                "family":"ip","table":"baton"}}}]})"));
    EXPECT_EQ(change_of({stays}, {stays}, {}), json::parse(R"({"nftables":[]})"));
}

TEST(Nft, NamesNoTableButItsOwn) {
    const auto ruleset = chains_for(layout());
    for (const auto& command : ruleset.at("nftables").as_array())
        for (const auto& [verb, what] : command.as_object())
            for (const auto& [kind, body] : what.as_object()) {
                EXPECT_EQ(body.at("table"), "baton") << verb << kind;
                EXPECT_EQ(body.at("family"), "ip");
            }
}

TEST(Nft, CommandsAreRunWithoutAShell) {
    EXPECT_EQ(process::shown(nft_json_command(json::parse("{}"))), "nft -j -f -");
    EXPECT_EQ(nft_json_command(json::parse("{}")).input, "{}");
    EXPECT_EQ(process::shown(list_routes_command()), "nft -j list map ip baton route");
    EXPECT_EQ(process::shown(list_flows_command("10.98.0.51")),
              "conntrack -L -f ipv4 -p tcp --dst-nat --orig-src 10.98.0.51");
    const Flow flow{parse_ipv4("10.98.0.51").value(), 1,   {}, 6001,
                    parse_ipv4("10.99.0.11").value(), 5901};
    EXPECT_EQ(process::shown(forget_flows_command(flow)),
              "conntrack -D -f ipv4 -p tcp --orig-src 10.98.0.51 --orig-port-dst 6001 --reply-src "
              "10.99.0.11 --reply-port-src 5901");
}

TEST(Nft, ReadsItsMapBack) {
    const auto routes = routes_from_nft(
        R"({"nftables": [{"metainfo": {"version": "1.0.6"}}, {"map": {"family": "ip", "name": "route",
        "table": "baton", "type": ["ipv4_addr", "inet_service"], "map": "ipv4_addr . inet_service",
        "elem": [[{"elem": {"val": {"concat": ["10.98.0.50", 6001]}, "comment": "s-abc"}},
                  {"concat": ["10.99.0.11", 5901]}]]}}]})");
    ASSERT_TRUE(routes);
    EXPECT_EQ(*routes,
              (std::vector<Route>{{SessionId("s-abc"), "10.98.0.50", 6001, {"10.99.0.11", 5901}}}));
    EXPECT_TRUE(routes_from_nft(R"({"nftables": [{"map": {"name": "route"}}]})")->empty());
    for (
        const auto* text :
        {"", "[]", R"({"nftables": 1})", R"({"nftables": [{"map": {"elem": 1}}]})",
         R"({"nftables": [{"map": {"elem": [1]}}]})",
         R"({"nftables": [{"map": {"elem": [[{"concat":["10.0.0.1",1]},{"concat":["10.0.0.2",2]}]]}}]})"})
        EXPECT_EQ(routes_from_nft(text).error().code, Errc::corrupt) << text;
}

TEST(Conntrack, OpenConnectionsAreRead) {
    const auto flows = flows_from_conntrack(
        "tcp      6 431999 ESTABLISHED src=10.98.0.50 dst=10.98.0.1 sport=39562 dport=6001 "
        "src=10.99.0.11 dst=10.99.0.1 sport=5901 dport=39562 [ASSURED] mark=0 use=1\n"
        "tcp      6 12 TIME_WAIT src=10.98.0.50 dst=10.98.0.1 sport=39563 dport=6001 "
        "src=10.99.0.11 dst=10.99.0.1 sport=5901 dport=39563 [ASSURED] mark=0 use=1\n"
        "udp      17 29 src=10.98.0.50 dst=10.98.0.1 sport=1 dport=2 src=1.1.1.1 dst=2.2.2.2 "
        "sport=3 dport=4 mark=0 use=1\n"
        "tcp      6 1 ESTABLISHED src=10.98.0.50 dst= sport=70000 dport=\nrubbish\n\n");
    ASSERT_EQ(flows.size(), 1U);
    EXPECT_EQ(to_string(flows[0].client), "10.98.0.50");
    EXPECT_EQ(flows[0].client_port, 39562);
    EXPECT_EQ(to_string(flows[0].target), "10.99.0.11");
    EXPECT_EQ(flows[0].target_port, 5901);
    EXPECT_FALSE(flows[0].connecting);
}

TEST(Conntrack, WhoIsInTheMiddleOfConnectingIsKnown) {
    for (const std::string state : {"SYN_SENT", "SYN_RECV"}) {
        const auto flows = flows_from_conntrack(
            "tcp      6 119 " + state +
            " src=10.98.0.50 dst=10.98.0.1 sport=39562 dport=6001 [UNREPLIED] "
            "src=10.99.0.11 dst=10.99.0.1 sport=5901 dport=39562 mark=0 use=1\n");
        ASSERT_EQ(flows.size(), 1U) << state;
        EXPECT_TRUE(flows[0].connecting) << state;
    }
}

TEST(StrayFlows, AreOursAndLeadNowhere) {
    const auto flow = [](const char* client, std::uint16_t port, const char* target,
                         std::uint16_t target_port) {
        return Flow{parse_ipv4(client).value(), 40000,      parse_ipv4("10.98.0.1").value(), port,
                    parse_ipv4(target).value(), target_port};
    };
    const std::vector<Route> routes{{SessionId("s-abc"), "10.98.0.50", 6001, {"10.99.0.11", 5901}}};
    const auto kept = flow("10.98.0.50", 6001, "10.99.0.11", 5901);
    const auto other_screen = flow("10.98.0.50", 6001, "10.99.0.11", 5902);
    const auto no_route = flow("10.98.0.51", 6001, "10.99.0.11", 5901);
    const auto foreign_target = flow("10.98.0.50", 6001, "192.0.2.1", 5901);
    const auto foreign_client = flow("192.0.2.1", 6001, "10.99.0.11", 5901);
    EXPECT_EQ(stray_flows(layout(), {kept, other_screen, no_route, foreign_target, foreign_client},
                          routes),
              (std::vector<Flow>{other_screen, no_route}));
}

TEST(Probe, IsAWellFormedSyn) {
    const Flow flow{parse_ipv4("10.98.0.51").value(), 40001, parse_ipv4("10.98.0.1").value(), 6001,
                    parse_ipv4("10.99.0.11").value(), 5901};
    const auto packet = probe_packet(flow);
    // RFC 1071: a header with its checksum in it adds up to all ones
    const auto sum = [&](std::size_t from, std::uint32_t start) {
        for (std::size_t at = from; at < (from == 0 ? 20 : packet.size()); at += 2)
            start += static_cast<std::uint32_t>(packet[at] << 8U | packet[at + 1]);
        return (start & 0xffffU) + (start >> 16U);
    };
    EXPECT_EQ(sum(0, 0), 0xffffU);
    EXPECT_EQ(sum(12, 6 + 20), 0xffffU);
    EXPECT_EQ(packet[13 + 20], 0x02) << "SYN and nothing else";
    EXPECT_EQ(packet[20] << 8 | packet[21], 6001) << "from the screen";
    EXPECT_EQ(packet[22] << 8 | packet[23], 40001);
}

TEST(HostGuardTest, ItsRulesAreOfItsOwnTable) {
    const HostGuard guard{"baton0", parse_ipv4("10.99.0.1").value()};
    EXPECT_TRUE(check_guard(guard));
    const auto ruleset = host_chains(guard);
    for (const auto& command : ruleset.at("nftables").as_array())
        for (const auto& [verb, what] : command.as_object())
            for (const auto& [kind, body] : what.as_object())
                EXPECT_EQ(body.at("table"), "baton_host") << verb << kind;
    HostGuard relayed = guard;
    relayed.relay = 5899;
    relayed.gateways = parse_network("10.99.0.0/24").value();
    const auto rules = json::serialize(host_chains(relayed));
    EXPECT_NE(rules.find("5899"), std::string::npos);
    EXPECT_NE(rules.find(R"({"prefix":{"addr":"10.99.0.0","len":24}})"), std::string::npos);
    EXPECT_EQ(json::serialize(ruleset).find("prefix"), std::string::npos);
    EXPECT_FALSE(check_guard({"baton*", parse_ipv4("10.99.0.1").value()}));
    EXPECT_FALSE(check_guard({"baton0", {}}));
    EXPECT_FALSE(check_guard({"baton0", parse_ipv4("10.99.0.1").value(), 6000, 5900}));
}

class MemoryRouterTest : public baton::testing::RouterContract {
  protected:
    std::unique_ptr<Router> make() override { return make_memory_router(layout()); }
};

BATON_ROUTER_CONTRACT(MemoryRouterTest)

} // namespace
} // namespace baton::routing
