#include "handoff/core.h"

#include "handoff/doors.h"
#include "handoff/mover.h"
#include "handoff/outcomes.h"
#include "handoff/planner.h"
#include "handoff/reconciler.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>

namespace baton::handoff {
namespace {

/// The settings' generator in the shape of the standard's.
struct Bits {
    using result_type = std::uint32_t;
    const std::function<std::uint32_t()>& draw;

    static constexpr result_type min() { return 0; }

    static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

    result_type operator()() const { return draw ? draw() : std::random_device{}(); }
};

/// Every character equally likely.
std::string random_text(Bits bits, std::string_view alphabet, std::size_t length) {
    std::uniform_int_distribution<std::size_t> pick(0, alphabet.size() - 1);
    std::string text;
    for (std::size_t i = 0; i < length; ++i)
        text += alphabet[pick(bits)];
    return text;
}

} // namespace

Core::Core(store::Store& store_in, Fleet& fleet_in, DeskServer& desks_in, Path& path_in,
           Clock& clock_in, EngineSettings settings_in)
    : store(store_in),
      fleet(fleet_in),
      desks(desks_in),
      path(path_in),
      clock(clock_in),
      settings(std::move(settings_in)),
      state(store_in),
      planner(std::make_unique<Planner>(*this)),
      mover(std::make_unique<Mover>(*this)),
      outcomes(std::make_unique<Outcomes>(*this)),
      reconciler(std::make_unique<Reconciler>(*this)),
      doors(std::make_unique<Doors>(*this)) {
    state.on_events = [this](const std::vector<store::EventRow>& events) {
        if (sink)
            post([this, events] { sink(events); });
    };
}

Core::~Core() = default;

void Core::persist(std::function<Built()> build, std::function<void()> then) {
    try_persist(std::move(build), std::move(then), 0);
}

void Core::try_persist(std::function<Built()> build, std::function<void()> then, unsigned attempt) {
    auto change = build();
    if (change && !*change)
        return;
    if (change && state.commit(**change)) {
        then();
        return;
    }
    // A store that cannot be written to stops everything, and everything goes on when it can.
    later(backoff(attempt), [this, build = std::move(build), then = std::move(then), attempt] {
        try_persist(build, then, attempt + 1);
    });
}

std::function<void()> Core::while_alive(std::function<void()> action) const {
    return [alive = std::weak_ptr<int>(alive_), action = std::move(action)] {
        if (!alive.expired())
            action();
    };
}

Clock::TimerId Core::later(std::chrono::nanoseconds delay, std::function<void()> action) {
    return clock.after(delay, while_alive(std::move(action)));
}

void Core::post(std::function<void()> action) {
    clock.post(while_alive(std::move(action)));
}

void Core::tell(store::Change& change, std::string_view kind, std::string subject, std::string text,
                const boost::json::object& data) const {
    store::EventRow event;
    event.at = clock.wall();
    event.kind = kind;
    event.subject = std::move(subject);
    event.text = std::move(text);
    event.data_json = boost::json::serialize(data);
    change.events.push_back(std::move(event));
}

std::chrono::milliseconds Core::backoff(unsigned attempt) {
    return std::chrono::milliseconds(250) * (1U << std::min(attempt, 5U));
}

std::string Core::new_id(std::string_view prefix) const {
    return std::string(prefix) +
           random_text(Bits{settings.random}, "0123456789abcdefghijklmnopqrstuvwxyz", 12);
}

std::string Core::new_password() const {
    return random_text(Bits{settings.random},
                       "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", 8);
}

std::string Core::new_ticket() const {
    return random_text(Bits{settings.random}, "0123456789abcdef", 32);
}

} // namespace baton::handoff
