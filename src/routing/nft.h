#pragma once

#include "process/run.h"
#include "routing/layout.h"
#include "routing/router.h"

#include <boost/json/value.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What the nftables adapter says to nft(8), as values. One table of our own, `ip baton`; nothing
/// else is ever named. How it works is in docs/network.md.
namespace baton::routing {

/// A TCP connection through the map, as the client sees it and where it really goes.
struct Flow {
    Ipv4 client;
    std::uint16_t client_port = 0;
    Ipv4 server; ///< the boot server's own address that the client connected to
    std::uint16_t listen_port = 0;
    Ipv4 target;
    std::uint16_t target_port = 0;
    /// The client has not been answered yet, as far as connection tracking has seen. It is only
    /// forgotten: the next SYN, which the client sends by itself, leads along the new route. A
    /// reset would be a connection refused, and so would be an answer to our probe.
    bool connecting = false;
    auto operator<=>(const Flow&) const = default;
};

/// How long packets of a cut flow are answered with a reset. A client that connects anew, be it
/// from the same port, is let through at once.
inline constexpr std::chrono::seconds cut_memory{60};
/// Marks our own probes, which connection tracking must not see ("ba70").
inline constexpr std::uint32_t probe_mark = 0xba70;

/// The table with its map and its set, by text: nft 1.0.6 cannot declare a map with concatenated
/// data in JSON. A constant; makes what is missing and changes nothing that is there.
std::string_view base_ruleset();
/// All chains and rules of the layout, replacing those that are there in one transaction; routes
/// and cut flows stay.
boost::json::value chains_for(const Layout& layout);
/// From `before` to `after` in one transaction, answering packets of `cut` with resets. Routes in
/// both are not touched.
boost::json::value change_of(const std::vector<Route>& before, const std::vector<Route>& after,
                             const std::vector<Flow>& cut);

process::Command nft_text_command(std::string_view ruleset);
process::Command nft_json_command(const boost::json::value& ruleset);
process::Command list_routes_command();
/// All tracked TCP connections that some DNAT has turned elsewhere, of one client or of all.
process::Command list_flows_command(const std::string& client = {});
/// Makes connection tracking forget the flows of this client and port to this target.
process::Command forget_flows_command(const Flow& flow);

/// `nft -j list map ip baton route`. Elements without a session in their comment are not ours and
/// an error: nobody else may write into the map.
Result<std::vector<Route>> routes_from_nft(std::string_view text);
/// Connections that are still open. Lines that are not of the expected form are passed over.
std::vector<Flow> flows_from_conntrack(std::string_view text);

/// Those flows from a client network to the hosts' network that no route leads along. (In that
/// direction nothing but the map lets anything through, so all of them were ours.)
std::vector<Flow> stray_flows(const Layout& layout, const std::vector<Flow>& flows,
                              const std::vector<Route>& routes);

} // namespace baton::routing
