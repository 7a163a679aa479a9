#pragma once

#include "handoff/ports.h"
#include "programs/batond/config.h"
#include "programs/batond/loop.h"
#include "routing/router.h"
#include "store/store.h"

#include <atomic>
#include <memory>

namespace baton::controller {

/// handoff::Path over a blocking Router: one call after the other, on the pool. Before the first
/// one that succeeds, the routes are made exactly what the store says they are.
class RouteKeeper : public handoff::Path {
  public:
    RouteKeeper(const Config& config, Loop& loop, Pool& pool);
    /// For tests: a router of the caller's own.
    RouteKeeper(std::unique_ptr<routing::Router> router, Loop& loop, Pool& pool);

    /// At start, before the engine asks for anything. Tries until the helper is there.
    void restore(store::Store& store);

    void point(const handoff::PathOrder& order, handoff::Done<void> done) override;
    void remove(const SessionId& session, handoff::Done<void> done) override;

  private:
    /// On the pool. Success also when there was nothing left to restore.
    Result<void> restore_now();
    void try_again_later();
    void run(std::function<Result<void>()> work, handoff::Done<void> done);

    std::unique_ptr<routing::Router> router_; ///< null: this site has no routes
    Loop& loop_;
    InOrder in_order_;
    store::Store* store_ = nullptr;
    bool restored_ = true; ///< touched in order, on the pool, only
};

/// What the store says: the routes of sessions that are not closed, to where their desktop is.
Result<std::vector<routing::Route>> routes_of(store::Store& store);

} // namespace baton::controller
