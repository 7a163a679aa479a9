#include "routing/host_guard.h"

#include "routing/layout.h"
#include "routing/nft.h"
#include "routing/nft_words.h"

namespace baton::routing {

namespace json = boost::json;

using namespace nft_words;

namespace {

/// Desktops are strangers' programs: of their host they get an address and names.
void guard_from_desktops(Batch& batch, const std::string& bridge) {
    const auto from_desktops = [&](const char* chain, json::array more) {
        json::array rule{is(meta("iifname"), text(bridge))};
        rule.insert(rule.end(), more.begin(), more.end());
        batch.rule(chain, std::move(rule));
    };
    from_desktops("input", {known(), plain("accept")});
    from_desktops("input", {is(payload("udp", "dport"), object("set", json::array{53, 67})),
                            plain("accept")});
    from_desktops("input", {is(payload("tcp", "dport"), 53), plain("accept")});
    from_desktops("input", {is(payload("icmp", "type"), "echo-request"), plain("accept")});
    from_desktops("input", {is(meta("l4proto"), "tcp"), reject_tcp()});
    from_desktops("input", {reject_rest()});
    // nobody opens a connection to a desktop: its screen is the host's
    const auto to_desktops = is(meta("oifname"), text(bridge));
    batch.rule("forward", {to_desktops, known(), plain("accept")});
    batch.rule("forward", {to_desktops, is(meta("l4proto"), "tcp"), reject_tcp()});
    batch.rule("forward", {to_desktops, reject_rest()});
}

} // namespace

Result<void> check_guard(const HostGuard& guard) {
    if (!guard.bridge.empty())
        BATON_TRY(check_interface(guard.bridge));
    if (guard.boot_server.value == 0 || guard.first_screen == 0 ||
        guard.first_screen > guard.last_screen)
        return fail(Errc::invalid_argument,
                    "a host's guard needs the boot server's address and a range of screens");
    return {};
}

std::string_view host_base_ruleset() {
    return "add table ip baton_host\n";
}

json::value host_chains(const HostGuard& guard) {
    Batch batch("baton_host");
    batch.hook("input", "filter", "input", 0);
    batch.hook("forward", "filter", "forward", 0);
    const auto of_screens = is(payload("tcp", "dport"),
                               object("range", json::array{guard.first_screen, guard.last_screen}));
    batch.rule("input", {match("!=", meta("iifname"), "lo"),
                         match("!=", payload("ip", "saddr"), text(to_string(guard.boot_server))),
                         of_screens, reject_tcp()});
    if (guard.relay != 0) {
        json::array others{match("!=", meta("iifname"), "lo"),
                           match("!=", payload("ip", "saddr"), text(to_string(guard.boot_server)))};
        if (guard.gateways)
            others.push_back(match("!=", payload("ip", "saddr"), network(*guard.gateways)));
        others.push_back(is(payload("tcp", "dport"), guard.relay));
        others.push_back(reject_tcp());
        batch.rule("input", std::move(others));
    }
    if (!guard.bridge.empty())
        guard_from_desktops(batch, guard.bridge);
    return batch.take();
}

Result<void> guard_host(const HostGuard& guard, const Runner& runner) {
    BATON_TRY(check_guard(guard));
    BATON_TRY(run_tool(runner, nft_text_command(host_base_ruleset())));
    return run_tool(runner, nft_json_command(host_chains(guard))).map([](auto&&) {});
}

} // namespace baton::routing
