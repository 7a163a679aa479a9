#pragma once

#include "handoff/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

/// An engine that does what it is told: a session serves as soon as `settle` says so.
namespace baton::api::testing {

class FakeEngine : public handoff::Engine {
  public:
    explicit FakeEngine(store::Store& store, handoff::Clock& clock)
        : store_(store), clock_(clock) {}

    bool serve_at_once = true;
    std::optional<Error> refuse;
    std::vector<handoff::OpenRequest> opened;
    std::vector<SessionId> closed;
    std::vector<std::pair<DesktopId, bool>> answers;
    std::vector<HostId> drained;

    Result<void> resume() override { return {}; }

    void open(const handoff::OpenRequest& request,
              handoff::Done<handoff::SessionView> done) override {
        opened.push_back(request);
        if (refuse)
            return clock_.post([done, error = *refuse] { done(tl::unexpected(error)); });
        for (const handoff::SessionView& view : views_)
            if (view.row.user == request.user && view.row.phase == store::SessionPhase::closing)
                return reopenings_.push_back({request, std::move(done)});
            else if (view.row.user == request.user)
                return clock_.post([done, view] { done(view); });
        handoff::SessionView view;
        view.row.id = SessionId(fmt::format("s-{:08}", ++number_));
        view.row.user = request.user;
        view.row.image = request.image;
        view.row.client = request.client;
        view.row.route = request.route;
        view.row.joined = number_;
        view.row.phase = store::SessionPhase::opening;
        view.row.created = clock_.wall();
        views_.push_back(view);
        waiting_[view.row.id] = std::move(done);
        if (serve_at_once)
            serve(view.row.id);
    }

    void serve(const SessionId& id) {
        handoff::SessionView& view = at(id);
        view.row.phase = store::SessionPhase::serving;
        view.row.desktop = DesktopId(fmt::format("d-{:08}", number_));
        view.row.screen_password = "secret12";
        store::DesktopRow desktop;
        desktop.id = view.row.desktop;
        desktop.session = id;
        desktop.host = HostId("host1");
        desktop.memory = 2_GiB;
        desktop.phase = store::DesktopPhase::ready;
        desktop.screen = Endpoint{"10.99.1.1", 5901};
        if (view.row.route == RouteKind::gateway)
            desktop.screen_ticket = std::string(32, 'a');
        view.desktop = desktop;
        clock_.post([done = std::move(waiting_[id]), view] { done(view); });
    }

    /// Who opens one meanwhile gets the next one, when this has ended.
    void begin_closing(const SessionId& id) { at(id).row.phase = store::SessionPhase::closing; }

    void end_closing(const SessionId& id) {
        std::erase_if(views_, [&](const auto& view) { return view.row.id == id; });
        for (auto& [request, done] : std::exchange(reopenings_, {}))
            open(request, std::move(done));
    }

    void break_opening(const SessionId& id, const Error& error) {
        store::Change change;
        change.sessions.push_back(at(id).row);
        change.sessions.back().phase = store::SessionPhase::closed;
        change.sessions.back().ended_because = error.what;
        (void)store_.commit(change);
        std::erase_if(views_, [&](const auto& view) { return view.row.id == id; });
        clock_.post([done = std::move(waiting_[id]), error] { done(tl::unexpected(error)); });
    }

    void hand_off(const SessionId& id, store::MovePhase phase) {
        store::MoveRow move;
        move.id = 7;
        move.session = id;
        move.kind = store::MoveKind::handoff;
        move.phase = phase;
        at(id).move = move;
    }

    void close(const SessionId& id, handoff::Done<void> done) override {
        closed.push_back(id);
        store::Change change;
        change.sessions.push_back(at(id).row);
        change.sessions.back().phase = store::SessionPhase::closed;
        (void)store_.commit(change);
        std::erase_if(views_, [&](const auto& view) { return view.row.id == id; });
        clock_.post([done] { done({}); });
    }

    void grow(const SessionId& id, handoff::Done<handoff::SessionView> done) override {
        clock_.post([done, view = at(id)]() mutable {
            view.desktop->memory = 4_GiB;
            done(view);
        });
    }

    Result<void> add_host(const store::HostRow& host) override {
        hosts_[host.id].row = host;
        store::Change change;
        change.hosts.push_back(host);
        return store_.commit(change);
    }

    void drain(const HostId& host, handoff::Done<void> done) override {
        drained.push_back(host);
        hosts_[host].row.draining = true;
        clock_.post([done] { done({}); });
    }

    Result<void> undrain(const HostId& host) override {
        hosts_[host].row.draining = false;
        return {};
    }

    void host_load(const HostId&, Load, std::chrono::nanoseconds) override {}

    Result<void> remove_host(const HostId& host) override {
        if (hosts_[host].desktops > 0)
            return fail(Errc::busy, "desktops are on it");
        hosts_.erase(host);
        return {};
    }

    std::vector<handoff::SessionView> sessions() const override { return views_; }

    Result<handoff::SessionView> session(const SessionId& id) const override {
        for (const handoff::SessionView& view : views_)
            if (view.row.id == id)
                return view;
        return fail(Errc::not_found, "no such session");
    }

    std::vector<handoff::HostView> hosts() const override {
        std::vector<handoff::HostView> all;
        for (const auto& [id, host] : hosts_)
            all.push_back(host);
        return all;
    }

    Mebibytes free_memory() const override { return 8_GiB; }

    void on_events(std::function<void(const std::vector<store::EventRow>&)>) override {}

    void on_host_up(const HostFacts& facts) override { hosts_[facts.id].connected = true; }

    void on_host_down(const HostId& host, const std::string&) override {
        hosts_[host].connected = false;
    }

    void on_desktop_gone(const HostId&, const DesktopId&, const std::string&) override {}

    void on_answer(const DesktopId& desktop, bool now) override {
        answers.emplace_back(desktop, now);
    }

    void on_logged_out(const DesktopId&) override {}

    handoff::HostView& host(const HostId& id) { return hosts_[id]; }

  private:
    handoff::SessionView& at(const SessionId& id) {
        return *std::ranges::find_if(views_, [&](const auto& view) { return view.row.id == id; });
    }

    store::Store& store_;
    handoff::Clock& clock_;
    std::vector<handoff::SessionView> views_;
    std::vector<std::pair<handoff::OpenRequest, handoff::Done<handoff::SessionView>>> reopenings_;
    std::map<SessionId, handoff::Done<handoff::SessionView>> waiting_;
    std::map<HostId, handoff::HostView> hosts_;
    unsigned number_ = 0;
};

} // namespace baton::api::testing
