#pragma once

#include "api/api.h"
#include "handoff/engine.h"
#include "model/cpu_shares.h"
#include "monitor/rates.h"
#include "net/http.h"
#include "programs/batond/config.h"
#include "programs/batond/loop.h"

#include <functional>
#include <memory>

namespace baton::controller {

/// Everything outside batond that the engine and the API reach: hosts, desk server, routes, images.
/// Two kinds: the real one, and the simulated one for trying Baton out and for tests.
class World {
  public:
    virtual ~World() = default;

    virtual handoff::Fleet& fleet() = 0;
    virtual handoff::DeskServer& desk_server() = 0;
    virtual handoff::Path& path() = 0;
    virtual api::DeskAdmin& desk_admin() = 0;
    virtual api::Images& images() = 0;

    /// Before the engine resumes, on the thread that starts it.
    virtual void prepare(handoff::Engine&, store::Store&) {}

    /// On the loop, after the engine has resumed: from here hosts may come and go.
    virtual Result<void> begin(handoff::Engine& engine, store::Store& store) = 0;

    /// Hosts that dial in; empty: none do.
    virtual net::OnWebSocket on_websocket() { return {}; }

    /// What hosts' monitors read is told, on the loop. Before begin().
    // NOLINTNEXTLINE(performance-unnecessary-value-param): who overrides it keeps it
    virtual void on_reading(std::function<void(monitor::Reading)> /*told*/) {}

    /// What hosts do about their CPU shares is told, on the loop. Before begin().
    // NOLINTNEXTLINE(performance-unnecessary-value-param): who overrides it keeps it
    virtual void on_cpu_shares(std::function<void(const HostId&, const CpuSharesTold&)>) {}

    /// The host was removed or joined anew: its link is cut. On the loop.
    virtual void host_changed(const HostId&) {}

    /// Nothing is called back after it returns. Before the loop stops.
    virtual void stop() = 0;
};

/// Hosts, desks and routes that exist in one small file in the state folder: they outlive a
/// kill -9 of batond as real ones do. Deterministic but for its timing.
Result<std::unique_ptr<World>> make_simulated_world(const Config& config, Loop& loop);

/// The library of OS images on this machine, baton-deskd, baton-helper, hosts that dial in.
Result<std::unique_ptr<World>> make_real_world(const Config& config, Loop& loop, Pool& pool);

} // namespace baton::controller
