#pragma once

#include "routing/layout.h"
#include "routing/nft.h"
#include "routing/router.h"

#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace baton::routing {

/// Starts a program; process::run, or what a test wants it to have said.
using Runner = std::function<Result<process::Finished>(const process::Command&)>;

/// Runs nft or conntrack and turns their failures into sentences: Errc::unavailable when it is not
/// installed, Errc::forbidden when we are not root (their own words for that help nobody).
Result<process::Finished> run_tool(const Runner& runner, const process::Command& command);

/// Told which flows have just been cut, so that their clients are made to notice (probe.h).
using OnCut = std::function<void(const std::vector<Flow>&)>;

/// The port forward of the paper (section 3.2) by nftables: one map, keyed on client address and
/// port. Runs as root on the boot server, inside baton-helper. Keeps nothing in memory: the
/// kernel's map is the state, with the session in each element's comment, so that a restart loses
/// nothing.
class NftRouter : public Router {
  public:
    NftRouter(Layout layout, Runner runner, OnCut on_cut);

    /// Makes the table and brings its rules up to date; routes that are there stay. To be called
    /// before the rest. Errc::unavailable with what to do: not root, nft or conntrack missing, no
    /// forwarding between interfaces.
    Result<void> ensure();

    Result<void> point(const Route& route) override;
    Result<void> remove(const SessionId& session) override;
    Result<void> replace_all(const std::vector<Route>& routes) override;
    Result<std::vector<Route>> list() override;

    /// Cuts every flow that no route leads along (what a crash between two steps has left).
    /// How many there were.
    Result<std::size_t> cut_strays();

  private:
    Result<std::vector<Route>> routes();
    Result<std::vector<Flow>> flows(const std::string& client);
    Result<void> change(const std::vector<Route>& before, const std::vector<Route>& after,
                        const std::string& client);
    Result<std::size_t> cut(const std::vector<Flow>& stray);

    std::mutex mutex_;
    Layout layout_;
    Runner runner_;
    OnCut on_cut_;
};

} // namespace baton::routing
