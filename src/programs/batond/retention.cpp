#include "programs/batond/retention.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

namespace baton::controller {

namespace {

/// Of the hosts that come back when batond starts, and of people, first.
constexpr std::chrono::seconds first_round{10};
constexpr std::chrono::hours between_rounds{1};
/// For everybody else between two transactions: 200 rows take a few milliseconds.
constexpr std::chrono::milliseconds pause{50};

WallTime before(WallTime now, std::chrono::hours life) {
    return life.count() == 0 ? WallTime{} : now - life;
}

} // namespace

struct Historian::Round : std::enable_shared_from_this<Historian::Round> {
    Round(Doors doors_in, Retention retention_in)
        : doors(std::move(doors_in)), retention(retention_in) {}

    void next(std::chrono::nanoseconds delay, void (Round::*what)()) {
        doors.clock.after(delay, [weak = weak_from_this(), what] {
            if (const auto round = weak.lock())
                (*round.*what)();
        });
    }

    void begin();
    void step();
    void end();

    Doors doors;
    Retention retention;
    store::Bounds bounds;
    store::Pruned total;
};

void Historian::Round::begin() {
    const auto now = doors.clock.wall();
    bounds.events_before = before(now, retention.events);
    bounds.events_kept = retention.most_events;
    bounds.sessions_before = before(now, retention.sessions);
    total = {};
    step();
}

void Historian::Round::step() {
    const auto pruned = doors.store.prune(bounds);
    if (!pruned) {
        doors.log(pruned.error().in("removing old history"));
        return end();
    }
    total.events += pruned->events;
    total.moves += pruned->moves;
    total.sessions += pruned->sessions;
    if (pruned->more)
        return next(pause, &Round::step);
    end();
}

void Historian::Round::end() {
    next(between_rounds, &Round::begin);
    if (total == store::Pruned{})
        return;
    store::Change change;
    store::EventRow event;
    event.at = doors.clock.wall();
    event.kind = "history.pruned";
    event.subject = "history";
    event.text = fmt::format("Removed what is older than it is kept: {} events, {} ended moves and "
                             "{} closed sessions.",
                             total.events, total.moves, total.sessions);
    event.data_json = boost::json::serialize(boost::json::object{
        {"events", total.events}, {"moves", total.moves}, {"sessions", total.sessions}});
    change.events.push_back(std::move(event));
    if (const auto told = doors.store.commit(change); !told)
        return doors.log(told.error().in("telling what history was removed"));
    doors.events_grew();
}

Historian::Historian(Doors doors, Retention retention)
    : round_(std::make_shared<Round>(std::move(doors), retention)) {
    round_->next(first_round, &Round::begin);
}

} // namespace baton::controller
