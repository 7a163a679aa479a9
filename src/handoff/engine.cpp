#include "handoff/engine.h"

#include "handoff/core.h"
#include "handoff/doors.h"
#include "handoff/mover.h"
#include "handoff/outcomes.h"
#include "handoff/planner.h"
#include "handoff/reconciler.h"

#include <fmt/format.h>

namespace baton::handoff {

using store::Change;
using store::DesktopPhase;
using store::SessionPhase;

namespace {

class EngineImpl final : public Engine {
  public:
    EngineImpl(store::Store& store, Fleet& fleet, DeskServer& desks, Path& path, Clock& clock,
               EngineSettings settings)
        : core_(store, fleet, desks, path, clock, std::move(settings)) {}

    Result<void> resume() override;

    void open(const OpenRequest& request, Done<SessionView> done) override {
        core_.doors->open(request, std::move(done));
    }

    void close(const SessionId& session, Done<void> done) override {
        core_.doors->close(session, std::move(done));
    }

    void grow(const SessionId& session, Done<SessionView> done) override {
        core_.doors->grow(session, std::move(done));
    }

    Result<void> add_host(const store::HostRow& host) override;
    void drain(const HostId& host, Done<void> done) override;
    Result<void> undrain(const HostId& host) override;
    Result<void> remove_host(const HostId& host) override;

    void host_load(const HostId& host, Load load, std::chrono::nanoseconds valid_for) override {
        core_.planner->heard_load(host, load, valid_for);
    }

    [[nodiscard]] std::vector<SessionView> sessions() const override;
    [[nodiscard]] Result<SessionView> session(const SessionId& id) const override;
    [[nodiscard]] std::vector<HostView> hosts() const override;

    [[nodiscard]] Mebibytes free_memory() const override { return core_.planner->free_memory(); }

    void on_events(std::function<void(const std::vector<store::EventRow>&)> sink) override {
        core_.sink = std::move(sink);
    }

    void on_host_up(const HostFacts& facts) override { core_.reconciler->host_up(facts); }

    void on_host_down(const HostId& host, const std::string& why) override;

    void on_desktop_gone(const HostId&, const DesktopId& desktop, const std::string& why) override {
        core_.reconciler->desktop_gone(desktop, why);
    }

    void on_answer(const DesktopId& desktop, bool now) override {
        core_.mover->answer(desktop, now);
    }

    void on_logged_out(const DesktopId& desktop) override;

  private:
    [[nodiscard]] Result<store::HostRow> known_host(const HostId& id) const;
    Result<void> set_draining(store::HostRow host, bool draining);

    Core core_;
};

Result<void> EngineImpl::resume() {
    BATON_TRY(core_.state.load());
    core_.reconciler->begin();
    BATON_TRY(core_.planner->rebuild());
    for (const auto& session : core_.state.sessions_in_order()) {
        const auto* move = core_.state.move_of(session.id);
        const bool serves = session.phase == SessionPhase::serving && move == nullptr;
        const auto* desktop = core_.state.desktop(session.desktop);
        if (serves && (desktop == nullptr || desktop->phase != DesktopPhase::ready))
            core_.outcomes->replace(session.id, "its desktop was gone when the controller started");
        else
            core_.mover->keep_route(session.id);
    }
    core_.reconciler->finish_losses();
    core_.planner->wake();
    return {};
}

// ---- hosts ----------------------------------------------------------------------

Result<store::HostRow> EngineImpl::known_host(const HostId& id) const {
    const auto* row = core_.state.host(id);
    if (row == nullptr)
        return fail(Errc::not_found, fmt::format("no host is called '{}'", id.value),
                    "see them with: baton host list");
    return *row;
}

Result<void> EngineImpl::add_host(const store::HostRow& host) {
    if (host.memory <= host.reserve && host.memory.count != 0)
        return fail(Errc::invalid_argument,
                    fmt::format("{} has {} and reserves {}: nothing is left to lend", host.id.value,
                                to_string(host.memory), to_string(host.reserve)));
    Change change;
    auto row = host;
    if (const auto* known = core_.state.host(host.id))
        row.draining = known->draining;
    change.hosts.push_back(row);
    BATON_TRY(core_.state.commit(change));
    core_.planner->host_ready(host.id);
    return {};
}

Result<void> EngineImpl::set_draining(store::HostRow host, bool draining) {
    if (host.draining == draining)
        return {};
    host.draining = draining;
    Change change;
    change.hosts.push_back(host);
    core_.tell(change, draining ? "host.draining" : "host.undrained", host.id.value,
               draining ? fmt::format("{} is being emptied.", host.id.value)
                        : fmt::format("{} takes desktops again.", host.id.value));
    return core_.state.commit(change);
}

void EngineImpl::drain(const HostId& host, Done<void> done) {
    auto row = known_host(host);
    auto written = row ? set_draining(*row, true) : Result<void>(tl::unexpected(row.error()));
    if (!written)
        return core_.post([done = std::move(done), written] { done(written); });
    core_.planner->drain(host, std::move(done));
}

Result<void> EngineImpl::undrain(const HostId& host) {
    auto row = known_host(host);
    if (!row)
        return tl::unexpected(row.error());
    BATON_TRY(set_draining(*row, false));
    core_.planner->cancel_drain(host);
    return {};
}

Result<void> EngineImpl::remove_host(const HostId& host) {
    const auto row = known_host(host);
    if (!row)
        return tl::unexpected(row.error());
    const auto left = core_.state.desktops_on(host);
    const bool lost = core_.reconciler->is_lost(host);
    if (!left.empty() && !lost)
        return fail(Errc::busy,
                    fmt::format("{} desktops are on {} or planned there", left.size(), host.value),
                    "empty it first: baton host drain " + host.value);
    Change change;
    // Of a host that is lost for good nobody will ever say that its desktops are gone.
    for (const auto& desktop : left)
        change.removed_desktops.push_back(desktop.id);
    change.removed_hosts.push_back(host);
    core_.tell(change, "host.removed", host.value, fmt::format("{} is forgotten.", host.value));
    BATON_TRY(core_.state.commit(change));
    core_.reconciler->forget_host(host);
    return {};
}

void EngineImpl::on_host_down(const HostId& host, const std::string& why) {
    if (core_.reconciler->is_connected(host)) {
        Change change;
        core_.tell(change, "host.down", host.value,
                   fmt::format("{} is not connected any more: {}", host.value, why));
        static_cast<void>(core_.state.commit(change)); // only told: nothing hangs on it
    }
    core_.reconciler->host_down(host);
}

// ---- sessions ----------------------------------------------------------------------

void EngineImpl::on_logged_out(const DesktopId& id) {
    const auto* desktop = core_.state.desktop(id);
    const auto* session = desktop == nullptr ? nullptr : core_.state.session(desktop->session);
    // A desktop that is being left says so too: only the one that serves counts.
    if (session == nullptr || session->desktop != id)
        return;
    const auto* move = core_.state.move_of(session->id);
    if (move == nullptr || move->phase == store::MovePhase::planned ||
        move->phase == store::MovePhase::preparing || move->phase == store::MovePhase::announcing)
        core_.outcomes->end(session->id, "the person has logged out", std::nullopt);
}

std::vector<SessionView> EngineImpl::sessions() const {
    std::vector<SessionView> views;
    for (const auto& row : core_.state.sessions_in_order())
        views.push_back(core_.doors->view(row));
    return views;
}

Result<SessionView> EngineImpl::session(const SessionId& id) const {
    if (const auto* row = core_.state.session(id))
        return core_.doors->view(*row);
    const auto all = core_.store.sessions(true);
    if (!all)
        return tl::unexpected(all.error());
    for (const auto& row : *all)
        if (row.id == id)
            return core_.doors->view(row);
    return fail(Errc::not_found, fmt::format("no session is called '{}'", id.value),
                "see them with: baton session list");
}

std::vector<HostView> EngineImpl::hosts() const {
    std::vector<HostView> views;
    for (const auto& [id, row] : core_.state.hosts()) {
        HostView view;
        view.row = row;
        view.connected = core_.reconciler->is_connected(id);
        view.used = core_.state.ledger().used(id);
        const auto lends = core_.state.lends(id);
        view.free = lends > view.used ? lends - view.used : Mebibytes();
        view.desktops = core_.state.desktops_on(id).size();
        view.load = core_.planner->load_of(id);
        views.push_back(view);
    }
    return views;
}

} // namespace

std::unique_ptr<Engine> Engine::make(store::Store& store, Fleet& fleet, DeskServer& desks,
                                     Path& path, Clock& clock, EngineSettings settings) {
    return std::make_unique<EngineImpl>(store, fleet, desks, path, clock, std::move(settings));
}

} // namespace baton::handoff
