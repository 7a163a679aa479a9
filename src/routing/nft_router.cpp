#include "routing/nft_router.h"

#include <boost/json/value.hpp>

#include <algorithm>
#include <fstream>
#include <set>
#include <unistd.h>

namespace baton::routing {

namespace {

/// Those that are to be told of their end: the others find their way by themselves.
std::vector<Flow> connected(std::vector<Flow> flows) {
    std::erase_if(flows, [](const Flow& flow) { return flow.connecting; });
    return flows;
}

/// conntrack says by its status that there was nothing to delete.
bool nothing_deleted(const process::Finished& finished) {
    return finished.status == 1 &&
           finished.error.find(" 0 flow entries have been deleted") != std::string::npos;
}

Result<void> check_forwarding() {
    std::ifstream file("/proc/sys/net/ipv4/ip_forward");
    int on = 0;
    if (file >> on && on == 1)
        return {};
    return fail(Errc::unavailable,
                "this machine does not forward packets between its networks, so no client would "
                "reach a desktop",
                "switch it on with: sysctl -w net.ipv4.ip_forward=1 (and in /etc/sysctl.d)");
}

} // namespace

Result<process::Finished> run_tool(const Runner& runner, const process::Command& command) {
    constexpr auto doing = "changing the network's rules";
    auto finished = runner(command);
    if (!finished && finished.error().code == Errc::not_found)
        return fail(Errc::unavailable,
                    "the network's rules need the program '" + command.words.front() +
                        "', which is not on this machine",
                    "install it with: apt-get install nftables conntrack");
    if (!finished)
        return tl::unexpected(finished.error().in(doing));
    if (finished->status != 0) {
        const bool privilege =
            finished->error.find("Operation not permitted") != std::string::npos ||
            finished->error.find("must be root") != std::string::npos;
        if (privilege)
            return fail(Errc::forbidden, "the network's rules are changed by root alone",
                        "run this program as root");
        return fail(Errc::io, std::string(doing) + ": '" + command.words.front() +
                                  "' failed: " + process::last_line(finished->error));
    }
    return finished;
}

NftRouter::NftRouter(Layout layout, Runner runner, OnCut on_cut)
    : layout_(std::move(layout)), runner_(std::move(runner)), on_cut_(std::move(on_cut)) {}

Result<void> NftRouter::ensure() {
    const std::lock_guard lock(mutex_);
    BATON_TRY(run_tool(runner_, nft_text_command(base_ruleset())));
    BATON_TRY(run_tool(runner_, nft_json_command(chains_for(layout_))));
    BATON_TRY(run_tool(runner_, list_flows_command()));
    return check_forwarding();
}

Result<std::vector<Route>> NftRouter::routes() {
    const auto listed = run_tool(runner_, list_routes_command());
    if (!listed)
        return tl::unexpected(listed.error());
    return routes_from_nft(listed->out);
}

Result<std::vector<Flow>> NftRouter::flows(const std::string& client) {
    const auto listed = run_tool(runner_, list_flows_command(client));
    if (!listed)
        return tl::unexpected(listed.error());
    return flows_from_conntrack(listed->out);
}

Result<std::vector<Route>> NftRouter::list() {
    const std::lock_guard lock(mutex_);
    return routes();
}

Result<void> NftRouter::point(const Route& route) {
    BATON_TRY(check_route(layout_, route));
    const std::lock_guard lock(mutex_);
    const auto before = routes();
    if (!before)
        return tl::unexpected(before.error());
    std::vector<Route> after;
    for (const auto& other : *before) {
        if (other.session == route.session)
            continue;
        if (other.client == route.client && other.listen_port == route.listen_port)
            return fail(Errc::busy,
                        "port " + std::to_string(route.listen_port) + " of client " + route.client +
                            " leads to the desktop of session " + other.session.value,
                        "give this session another port, or close that one");
        after.push_back(other);
    }
    after.push_back(route);
    return change(*before, after, route.client);
}

Result<void> NftRouter::remove(const SessionId& session) {
    BATON_TRY(check_session(session));
    const std::lock_guard lock(mutex_);
    const auto before = routes();
    if (!before)
        return tl::unexpected(before.error());
    std::vector<Route> after;
    std::string client;
    for (const auto& route : *before) {
        if (route.session == session)
            client = route.client;
        else
            after.push_back(route);
    }
    if (client.empty())
        return {};
    return change(*before, after, client);
}

Result<void> NftRouter::replace_all(const std::vector<Route>& routes_wanted) {
    BATON_TRY(check_routes(layout_, routes_wanted));
    const std::lock_guard lock(mutex_);
    const auto before = routes();
    if (!before)
        return tl::unexpected(before.error());
    return change(*before, routes_wanted, {});
}

Result<void> NftRouter::change(const std::vector<Route>& before, const std::vector<Route>& after,
                               const std::string& client) {
    // a session that has moved to another client leaves flows at the old one: look at all
    const bool one = !client.empty() && std::all_of(before.begin(), before.end(), [&](auto& old) {
        return old.client == client || std::find(after.begin(), after.end(), old) != after.end();
    });
    const auto seen = one ? client : std::string();
    const auto there = flows(seen);
    if (!there)
        return tl::unexpected(there.error());
    const auto stray = stray_flows(layout_, *there, after);
    BATON_TRY(run_tool(runner_, nft_json_command(change_of(before, after, connected(stray)))));
    BATON_TRY(cut(stray));
    // connections that came between looking and turning
    const auto later = flows(seen);
    if (!later)
        return tl::unexpected(later.error());
    const auto late = stray_flows(layout_, *later, after);
    if (late.empty())
        return {};
    BATON_TRY(run_tool(runner_, nft_json_command(change_of(after, after, connected(late)))));
    return cut(late).map([](auto) {});
}

Result<std::size_t> NftRouter::cut(const std::vector<Flow>& stray) {
    std::set<std::string> done;
    for (const auto& flow : stray) {
        const auto command = forget_flows_command(flow);
        if (!done.insert(process::shown(command)).second)
            continue; // one command forgets all of the same client, port and target
        auto finished = runner_(command);
        if (finished && nothing_deleted(*finished))
            continue; // it ended by itself
        BATON_TRY(run_tool([&](const auto&) { return finished; }, command));
    }
    if (const auto ended = connected(stray); !ended.empty() && on_cut_)
        on_cut_(ended);
    return stray.size();
}

Result<std::size_t> NftRouter::cut_strays() {
    const std::lock_guard lock(mutex_);
    const auto now = routes();
    if (!now)
        return tl::unexpected(now.error());
    const auto there = flows({});
    if (!there)
        return tl::unexpected(there.error());
    const auto stray = stray_flows(layout_, *there, *now);
    if (stray.empty())
        return 0;
    BATON_TRY(run_tool(runner_, nft_json_command(change_of(*now, *now, connected(stray)))));
    return cut(stray);
}

} // namespace baton::routing
