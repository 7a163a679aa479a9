#include "unit/allocation_properties/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace baton::allocation {

namespace {

void expect(bool holds, const std::string& what) {
    if (!holds)
        throw std::logic_error(what);
}

template <class T>
T value(Result<T> result, const std::string& what) {
    if (!result)
        throw std::logic_error(what + ": " + result.error().message());
    if constexpr (!std::is_void_v<T>)
        return std::move(*result);
}

std::string text(const Block& block) {
    return fmt::format("{}@{}+{}", block.size.count, block.host.value, block.offset.count);
}

} // namespace

// ---------------------------------------------------------------- one machine

void Machine::start(const std::string& desktop, const Block& block) {
    const std::int64_t begin = block.offset.count;
    const std::int64_t end = begin + block.size.count;
    expect(
        begin >= 0 && end <= capacity_.count,
        fmt::format("{} starts at {} past the end of {}", desktop, text(block), capacity_.count));
    const auto after = by_offset_.lower_bound(begin);
    expect(after == by_offset_.end() || after->first >= end,
           fmt::format("{} starts in memory that is not free: {}", desktop, text(block)));
    expect(after == by_offset_.begin() || std::prev(after)->second.end <= begin,
           fmt::format("{} starts in memory that is not free: {}", desktop, text(block)));
    expect(offset_of_.emplace(desktop, begin).second, desktop + " runs twice on one host");
    by_offset_.emplace(begin, Desktop{desktop, end});
    used_ += block.size;
    expect(used_ <= capacity_, "a host over its capacity");
}

void Machine::stop(const std::string& desktop) {
    const auto found = offset_of_.find(desktop);
    expect(found != offset_of_.end(), desktop + " is stopped where it does not run");
    const auto block = by_offset_.find(found->second);
    used_ -= Mebibytes(block->second.end - block->first);
    by_offset_.erase(block);
    offset_of_.erase(found);
}

// ---------------------------------------------------------------- the world

World::World(const Fleet& fleet, std::string_view policy)
    : fleet_(fleet),
      allocator_(value(make_allocator(policy, fleet.settings, fleet.hosts), "make_allocator")) {
    for (const auto& host : fleet.hosts)
        hosts_.emplace(host.id, HostState{Machine(host.capacity), true, host.accepts});
}

Machine& World::machine(const HostId& host) {
    return hosts_.at(host).machine;
}

void World::note(const std::string& line) {
    transcript_ += line + "\n";
}

/// The new desktop of a handoff is called NAME' so that both may be on one host.
static std::string old_name(const SessionId& session) {
    return session.value;
}

static std::string new_name(const SessionId& session) {
    return session.value + "'";
}

void World::place(const SessionId& session, const Block& block) {
    machine(block.host).start(old_name(session), block);
}

void World::start_coming(const SessionId& session, const Block& from, const Block& to) {
    Place& place = places_.at(session);
    expect(place.block == from,
           fmt::format("{} is at {}, not {}", session.value, text(place.block), text(from)));
    expect(!place.coming && !place.waits, session.value + " is in a handoff already");
    machine(to.host).start(new_name(session), to);
    place.coming = to;
    --sizes_[from.size];
    ++sizes_[to.size];
    handoffs_.push_back(session);
    ++begun_;
    note(fmt::format("  {}: {} -> {}", session.value, text(from), text(to)));
}

bool World::join() {
    const SessionId session(fmt::format("s-{:08}", next_++));
    const auto plan = allocator_->join(session);
    if (!plan) {
        expect(plan.error().code == Errc::refused || plan.error().code == Errc::busy,
               "a join failed with " + plan.error().message());
        expect(!plan.error().hint.empty(), "a refusal without a way out");
        check(); // nothing has changed
        last_refusal_ = plan.error();
        note("no " + plan.error().message());
        return false;
    }
    note(fmt::format("+ {} {}", session.value, text(plan->block)));
    expect(plan->session == session, "a plan for somebody else");
    order_.push_back(session);
    Place& newcomer = places_[session];
    newcomer.block = plan->block;
    ++sizes_[plan->block.size];
    if (!plan->handoff) {
        place(session, plan->block);
        return true;
    }
    const Handoff& handoff = *plan->handoff;
    expect(handoff.to.size < handoff.from.size, "a join made somebody larger");
    expect(!unmovable_.contains(handoff.session), "who said 'not now' is moved");
    expect(hosts_.at(handoff.from.host).accepts && hosts_.at(handoff.to.host).accepts,
           "a join's handoff over a host that does not accept");
    start_coming(handoff.session, handoff.from, handoff.to);
    places_.at(handoff.session).waiter = session;
    newcomer.waits = handoff.session;
    expect(plan->block.host == handoff.from.host && plan->block.offset >= handoff.from.offset &&
               plan->block.offset + plan->block.size <= handoff.from.offset + handoff.from.size,
           "the newcomer is not promised what the handoff frees");
    return true;
}

void World::end_handoff(const SessionId& session) {
    std::erase(handoffs_, session);
}

/// The old desktop of a handoff has stopped: the new one is the only one, the newcomer starts.
void World::old_is_gone(const SessionId& session, bool stop_old) {
    Place& mine = places_.at(session);
    if (stop_old)
        machine(mine.block.host).stop(old_name(session));
    mine.block = *std::exchange(mine.coming, std::nullopt);
    machine(mine.block.host).stop(new_name(session));
    machine(mine.block.host).start(old_name(session), mine.block);
    if (const auto waiter = std::exchange(mine.waiter, std::nullopt)) {
        places_.at(*waiter).waits.reset();
        place(*waiter, places_.at(*waiter).block);
    }
    end_handoff(session);
}

void World::forget(const SessionId& session) {
    const Place& mine = places_.at(session);
    --sizes_[mine.coming ? mine.coming->size : mine.block.size];
    places_.erase(session);
    unmovable_.erase(session);
    std::erase(order_, session);
}

void World::leave(std::size_t n) {
    if (order_.empty())
        return;
    const SessionId session = nth(n);
    note("- " + session.value);
    Place& mine = places_.at(session);
    value(allocator_->leave(session), "leave");
    if (mine.waits) {
        places_.at(*mine.waits).waiter.reset();
    } else {
        if (mine.coming)
            old_is_gone(session, true);
        machine(mine.block.host).stop(old_name(session));
    }
    forget(session);
}

void World::finish(std::size_t n) {
    if (handoffs_.empty())
        return;
    const SessionId session = handoffs_[n % handoffs_.size()];
    note("finish " + session.value);
    value(allocator_->finish_handoff(session), "finish_handoff");
    old_is_gone(session, true);
}

void World::finish_all() {
    while (!handoffs_.empty())
        finish(0);
}

void World::cancel(std::size_t n) {
    if (handoffs_.empty())
        return;
    const SessionId session = handoffs_[n % handoffs_.size()];
    note("cancel " + session.value);
    Place& mine = places_.at(session);
    const auto waiter = mine.waiter;
    if (waiter) {
        const auto too_early = allocator_->cancel_handoff(session);
        expect(!too_early && too_early.error().code == Errc::conflict,
               "a handoff is cancelled under somebody who was promised its memory");
        check(); // nothing has changed
        const auto at = std::ranges::find(order_, *waiter) - order_.begin();
        leave(static_cast<std::size_t>(at));
    }
    value(allocator_->cancel_handoff(session), "cancel_handoff");
    machine(mine.coming->host).stop(new_name(session));
    --sizes_[mine.coming->size];
    ++sizes_[mine.block.size];
    mine.coming.reset();
    end_handoff(session);
    if (waiter)
        join();
}

void World::begin(const Handoff& handoff, bool growth) {
    expect((handoff.to.size > handoff.from.size) == growth, "a handoff in the wrong direction");
    const auto begun = allocator_->begin_handoff(handoff);
    value(begun, "begin_handoff");
    start_coming(handoff.session, handoff.from, handoff.to);
}

bool World::grow(std::optional<std::size_t> n) {
    if (order_.empty())
        return false;
    const auto candidate = n ? std::optional(nth(*n)) : std::nullopt;
    const auto plan = allocator_->plan_grow(candidate);
    if (++plans_ % 8 == 0)
        check(); // planning has changed nothing
    if (!plan)
        return false;
    expect(!candidate || plan->session == *candidate, "somebody grows who was not asked");
    expect(candidate || !unmovable_.contains(plan->session), "who said 'not now' grows");
    expect(hosts_.at(plan->to.host).accepts, "growing onto a host that does not accept");
    begin(*plan, true);
    return true;
}

bool World::evacuate(std::size_t n) {
    if (order_.empty())
        return false;
    const auto plan = allocator_->plan_evacuate(nth(n));
    if (++plans_ % 8 == 0)
        check(); // planning has changed nothing
    if (!plan)
        return false;
    if (plan->session == nth(n))
        expect(hosts_.at(plan->to.host).accepts, "evacuated onto a host that does not accept");
    begin(*plan, false);
    return true;
}

void World::set_movable(std::size_t n, bool movable) {
    if (order_.empty())
        return;
    allocator_->set_movable(nth(n), movable);
    if (movable)
        unmovable_.erase(nth(n));
    else
        unmovable_[nth(n)] = true;
}

void World::set_accepts(std::size_t n, bool accepts) {
    const HostId& host = fleet_.hosts[n % fleet_.hosts.size()].id;
    HostState& state = hosts_.at(host);
    if (!state.there)
        return;
    value(allocator_->set_accepts(host, accepts), "set_accepts");
    state.accepts = accepts;
}

void World::set_floor(std::size_t n, unsigned level) {
    const SessionId newcomer(fmt::format("s-{:08}", next_));
    const bool is_none = level >= fleet_.settings.levels;
    allocator_->set_floor(n % 3 == 0 || order_.empty() ? newcomer : nth(n),
                          is_none ? std::optional<Mebibytes>()
                                  : std::optional(fleet_.settings.largest.halved(level)));
}

void World::set_load(std::size_t n, Load load) {
    const HostId& host = fleet_.hosts[n % fleet_.hosts.size()].id;
    if (hosts_.at(host).there)
        value(allocator_->set_load(host, load), "set_load");
}

void World::forget_loads() {
    for (std::size_t n = 0; n < fleet_.hosts.size(); ++n)
        set_load(n, fleet_.hosts[n].load);
}

void World::lose(std::size_t n) {
    const HostId& host = fleet_.hosts[n % fleet_.hosts.size()].id;
    HostState& state = hosts_.at(host);
    if (!state.there)
        return;
    note("lose " + host.value);
    std::vector<SessionId> expected;
    for (const SessionId& session : order_) {
        const Place& mine = places_.at(session);
        const bool old_lost = mine.block.host == host;
        const bool new_lost = mine.coming && mine.coming->host == host;
        const bool waits_in_vain = mine.waits && places_.at(*mine.waits).coming->host == host;
        if ((mine.coming ? old_lost && new_lost : old_lost) || waits_in_vain)
            expected.push_back(session);
    }
    const auto gone = value(allocator_->lose_host(host), "lose_host");
    expect(gone == expected, "lose_host names other sessions than were there");
    state.machine = Machine(state.machine.capacity()); // whatever ran there is gone
    state.there = false;
    for (const SessionId& session : gone) {
        Place& mine = places_.at(session);
        if (mine.waits)
            places_.at(*mine.waits).waiter.reset();
        if (mine.waiter) // lost as well
            places_.at(*mine.waiter).waits.reset();
        if (mine.coming)
            end_handoff(session);
        forget(session);
    }
    for (const SessionId& session : std::vector(handoffs_)) {
        Place& mine = places_.at(session);
        if (mine.coming->host == host) {
            --sizes_[mine.coming->size];
            ++sizes_[mine.block.size];
            mine.coming.reset();
            end_handoff(session);
        } else if (mine.block.host == host) {
            old_is_gone(session, false);
        }
    }
    check();
    for (std::size_t i = 0; i < gone.size(); ++i)
        join();
}

void World::bring_back(std::size_t n) {
    const HostCapacity& host = fleet_.hosts[n % fleet_.hosts.size()];
    HostState& state = hosts_.at(host.id);
    if (state.there)
        return;
    value(allocator_->add_host(host), "add_host");
    state.there = true;
    state.accepts = host.accepts;
}

// ---------------------------------------------------------------- looking

void World::check() const {
    const std::int64_t smallest = fleet_.smallest().count;
    std::int64_t free = 0;
    std::size_t slots = 0;
    for (const auto& [host, state] : hosts_) {
        expect(allocator_->used(host) == state.machine.used(),
               fmt::format("{}: {} MiB in the allocator's books, {} in use", host.value,
                           allocator_->used(host).count, state.machine.used().count));
        if (!state.there || !state.accepts)
            continue;
        const std::int64_t whole = state.machine.capacity().count / smallest;
        slots += whole;
        free += whole * smallest - state.machine.used().count;
    }
    expect(allocator_->free_total().count == free, "free_total is not what is free");
    expect(allocator_->capacity() == slots, "capacity is not the number of smallest slots");
    const auto placements = allocator_->placements();
    expect(placements.size() == order_.size(), "placements has other sessions than joined");
    for (std::size_t i = 0; i < order_.size(); ++i) {
        const Place& mine = places_.at(order_[i]);
        expect(placements[i].session == order_[i], "placements is not in join order");
        expect(placements[i].block == (mine.coming ? *mine.coming : mine.block),
               order_[i].value + " is not where the plans put it");
        expect(i == 0 || placements[i - 1].joined < placements[i].joined,
               "join numbers do not grow");
        expect(allocator_->promised_to(order_[i]) == mine.waiter,
               order_[i].value + " has promised its memory to somebody else");
    }
}

bool World::on_host(std::size_t n, std::size_t nth_host) const {
    const HostId& host = fleet_.hosts[nth_host % fleet_.hosts.size()].id;
    return places_.at(nth(n)).block.host == host;
}

bool World::host_is_empty(std::size_t nth_host) const {
    return hosts_.at(fleet_.hosts[nth_host % fleet_.hosts.size()].id).machine.empty();
}

bool World::slot_is_free() const {
    const std::int64_t smallest = fleet_.smallest().count;
    return std::ranges::any_of(hosts_, [&](const auto& entry) {
        const HostState& state = entry.second;
        return state.there && state.accepts &&
               state.machine.capacity().count / smallest * smallest > state.machine.used().count;
    });
}

bool World::anybody_larger_than_smallest() const {
    return std::ranges::any_of(sizes_, [&](const auto& entry) {
        return entry.second > 0 && entry.first > fleet_.smallest();
    });
}

std::vector<World::Found> World::found_at_start_up() const {
    std::vector<Found> all;
    for (const SessionId& session : order_)
        if (const Place& mine = places_.at(session); !mine.waits)
            all.push_back({session, mine.block, mine.coming});
    return all;
}

} // namespace baton::allocation
