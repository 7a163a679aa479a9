#pragma once

#include "handoff/core.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>

namespace baton::handoff {

/// Carries each move through its phases. The phase in the store is the truth: drive() looks at it
/// and issues the next effect; when the effect has succeeded the next phase is committed and
/// driven in turn. An effect that was under way when the controller died is issued again.
class Mover {
  public:
    explicit Mover(Core& core) : core_(core) {}

    /// Issues the next effect of the move if none is under way and what it needs is there.
    void drive(std::uint64_t move);
    /// Every move: a host came back, memory was freed.
    void drive_all();
    /// Forgets the effect under way, whatever it will say; drive() starts from the committed phase.
    void interrupt(std::uint64_t move);

    /// The old desktop of a handoff is gone: the present phase is looked at anew, unless its end is
    /// being committed, which takes the loss in.
    void interrupt_for_loss(std::uint64_t move) {
        if (const auto found = runs_.find(move); found != runs_.end() && found->second.held)
            return;
        interrupt(move);
        drive(move);
    }

    /// As interrupt(), and nothing is issued for it any more: its end is being committed. Good
    /// until somebody else interrupts or holds the move, who then decides what becomes of it.
    std::uint64_t hold(std::uint64_t move);

    /// Whether the hold is still good: to be asked at every attempt to commit.
    [[nodiscard]] bool holds(std::uint64_t move, std::uint64_t hold) const {
        return current(move, hold);
    }

    /// The person in front of `desktop` said "now" or "not now".
    void answer(const DesktopId& desktop, bool now);

    /// Gives the screen its new password if there is one and points the session's route at its
    /// desktop, again and again until it succeeds or the session moves or ends; `done` hears of
    /// the first attempt. For start-up, and for a person who comes back from another client.
    void keep_route(const SessionId& session, bool new_password = false, Done<void> done = {});

    using Also = std::function<void(store::Change&, store::MoveRow&)>;

    /// Commits phase `returning` under a new number, with what `also` adds; then drives it.
    void go_back(std::uint64_t move, Also also, std::function<void()> then) {
        advance(move, store::MovePhase::returning, std::move(also), std::move(then));
    }

  private:
    using Nanoseconds = std::chrono::nanoseconds;

    /// What a viewer needs: where it comes from, and what the screen asks it for.
    struct Routed {
        RouteKind route = RouteKind::nat;
        std::string client;
        std::uint16_t listen_port = 0;
        std::string password;
        bool operator==(const Routed&) const = default;
    };

    /// What is known of a move in this life of the controller only.
    struct Run {
        store::MovePhase phase = store::MovePhase::done;
        bool busy = false;                   ///< an effect or a commit is under way
        bool held = false;                   ///< its end is being committed
        std::uint64_t generation = 0;        ///< grows whenever what was under way no longer counts
        unsigned attempts = 0;               ///< of the present phase
        std::optional<Clock::TimerId> pause; ///< until then nothing is issued
        std::optional<Clock::TimerId> deadline; ///< of the present phase
        std::optional<DeskExport> desk_export;
        std::map<store::MovePhase, Nanoseconds> entered;
        std::uint64_t fence_step = 1;
        std::optional<std::string> password; ///< that the new desktop's screen was given
        Routed routed;
        std::set<DesktopId> released; ///< close: those that have let go
    };

    Run& run_of(const store::MoveRow& move);
    [[nodiscard]] bool current(std::uint64_t move, std::uint64_t generation) const;

    /// The callback of an effect: marks the run busy, and drops answers that come twice or late.
    template <class T>
    Done<T> completion(std::uint64_t move, std::function<void(Result<T>)> next);

    /// Commits the next phase with what `also` adds; then calls `then` and drives.
    void advance(std::uint64_t move, store::MovePhase next, Also also = {},
                 std::function<void()> then = {}) {
        advance_while(move, next, {}, std::move(also), std::move(then));
    }

    /// As advance(), for what a slow store can overtake: `still` is asked at every attempt to
    /// commit, and "no" leaves the move in its phase, to be looked at anew.
    void advance_while(std::uint64_t move, store::MovePhase next,
                       std::function<bool(const store::MoveRow&)> still, Also also,
                       std::function<void()> then);
    /// Issues the phase's effect again after a pause; `exhausted` after `limit` attempts.
    void retry(std::uint64_t move, unsigned limit, const std::function<void()>& exhausted);
    void set_deadline(Run& run, Nanoseconds delay, std::function<void()> action);
    void clear_timers(Run& run);

    void drive_open_or_handoff(const store::MoveRow& move);
    void wait_for_memory(const store::MoveRow& move);
    void prepare(const store::MoveRow& move);
    void prepared(std::uint64_t id, const Result<Started>& started);
    void announce(const store::MoveRow& move);
    void announced(std::uint64_t id);
    void release(const store::MoveRow& move);
    void released(std::uint64_t id, const Result<void>& result);
    void take_by_force(std::uint64_t id, const std::string& why);
    void lease(const store::MoveRow& move);
    void leased(std::uint64_t id, const Result<DeskExport>& result);
    void attach(const store::MoveRow& move);
    void route(const store::MoveRow& move);
    [[nodiscard]] bool is_routed(std::uint64_t id) const;
    void check_route(const SessionId& session, const Routed& routed, bool failed);
    [[nodiscard]] static Routed wanted_route(const store::SessionRow& session);

    /// A gateway is always told; a port forward needs a client.
    [[nodiscard]] static bool has_route(const store::SessionRow& session) {
        return session.route == RouteKind::gateway || session.listen_port != 0;
    }

    [[nodiscard]] static PathOrder path_to(const store::SessionRow& session,
                                           const store::DesktopRow& desktop) {
        return {session.id, session.route,  session.client,       session.listen_port,
                desktop.id, desktop.screen, desktop.screen_ticket};
    }

    void served(std::uint64_t id, const std::string& route_error);
    void tell_opened(store::Change& change, const store::MoveRow& move, const Run& run) const;
    void drain(const store::MoveRow& move);
    void give_back(const store::MoveRow& move);
    void given_back(std::uint64_t id);

    void drive_close(const store::MoveRow& move);
    void close_release(const store::MoveRow& move);
    void close_export(const store::MoveRow& move);
    void close_route(const store::MoveRow& move);
    void close_drain(const store::MoveRow& move);

    [[nodiscard]] store::MovePhase after_ready(const store::MoveRow& move) const;
    /// The first phase after the old desktop has let go: leasing, or routing without a desk.
    [[nodiscard]] store::MovePhase after_release(const store::MoveRow& move) const;
    [[nodiscard]] bool is_alive(const DesktopId& desktop) const;
    [[nodiscard]] boost::json::object figures(const store::MoveRow& move, const Run& run) const;

    struct Routing {
        std::uint64_t turn = 0; ///< a later one replaces it
        unsigned attempt = 0;
        Done<void> done;
    };

    /// Of one session's route.
    struct Kept {
        std::uint64_t turn = 0;
        bool password_owed = false; ///< the screen has not said yet that it took it
    };

    void try_route(const SessionId& session, Routing routing);
    void point_route(const SessionId& session, Routing routing);
    void route_tried(const SessionId& session, Routing routing, const Result<void>& result);

    Core& core_;
    std::map<std::uint64_t, Run> runs_;
    std::map<SessionId, Kept> routes_;
};

template <class T>
Done<T> Mover::completion(std::uint64_t move, std::function<void(Result<T>)> next) {
    Run& run = runs_[move];
    run.busy = true;
    const auto generation = ++run.generation;
    return core_.guarded<T>([this, move, generation, next = std::move(next)](Result<T> r) {
        if (!current(move, generation))
            return;
        auto& now = runs_[move];
        now.busy = false;
        ++now.generation;
        next(std::move(r));
    });
}

} // namespace baton::handoff
