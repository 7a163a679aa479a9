#include "allocation/block_allocator.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace baton::allocation {

BlockAllocator::BlockAllocator(const Settings& settings, std::unique_ptr<Policy> policy)
    : settings_(settings),
      policy_(std::move(policy)),
      memory_(settings.levels),
      sessions_(settings.levels, memory_,
                settings.memory != nullptr ? *settings.memory : *std::pmr::get_default_resource()) {
}

Block BlockAllocator::block(const Spot& spot) const {
    const Mebibytes size = size_of(spot.level);
    return Block{hosts_[spot.host].id, spot.level, size,
                 size * static_cast<std::int64_t>(memory_.offset(spot))};
}

Handoff BlockAllocator::handoff(SessionIndex session, const Spot& to) const {
    return Handoff{sessions_.id(session), block(sessions_.spot(session)), block(to)};
}

// ---------------------------------------------------------------- joining and leaving

Result<JoinPlan> BlockAllocator::join(const SessionId& session) {
    if (session.empty())
        return fail(Errc::invalid_argument, "a session without a name cannot be given a place");
    sessions_.reserve_one();
    const SoughtId sought(session);
    sessions_.prefetch(sought);
    const auto choice = policy_->join(state_for(session)); // meanwhile
    if (sessions_.find(sought) != no_session)
        return fail(Errc::already_exists,
                    fmt::format("session '{}' has a place already", session.value));
    if (sessions_.size() >= capacity())
        return no_place_left();
    if (!choice)
        return nothing_free_now();

    const Spot slot = memory_.take(choice->level).value(); // the policy has seen that it is free
    __builtin_prefetch(&hosts_[slot.host]);                // its name is wanted at the end
    if (choice->shrink == no_session) {
        const SessionIndex newcomer = sessions_.add(sought, slot);
        sessions_.settle(newcomer);
        return JoinPlan{session, block(slot), std::nullopt};
    }

    // the handoff takes the slot; the newcomer is promised the first part of what it frees
    const SessionIndex mover = choice->shrink;
    const Spot from = sessions_.spot(mover);
    __builtin_prefetch(&hosts_[from.host]);
    begin(mover, slot);
    const Spot promised{from.position << (choice->level - from.level), from.host,
                        static_cast<std::uint8_t>(choice->level)};
    const SessionIndex newcomer = sessions_.add(sought, promised);
    sessions_.promise(mover, newcomer);
    sessions_.settle(newcomer);
    return JoinPlan{session, block(promised), handoff(mover, slot)};
}

State BlockAllocator::state_for(const SessionId& newcomer) const {
    State now = state();
    if (!floors_.empty())
        if (const auto found = floors_.find(newcomer); found != floors_.end())
            now.newcomer_floor = found->second;
    return now;
}

Result<void> BlockAllocator::leave(const SessionId& session) {
    if (!floors_.empty())
        floors_.erase(session);
    const auto found = known(session);
    if (!found)
        return tl::unexpected(found.error());
    const SessionRecord& record = sessions_.at(*found);
    if (record.moving) {
        memory_.give(sessions_.handover(*found).to);
        free_old_block(*found);
        end(*found);
    } else if (record.promised) { // its place is covered by the mover's
        sessions_.end_promise(sessions_.handover(*found).partner, *found);
    } else {
        memory_.give(sessions_.spot(*found));
    }
    sessions_.remove(*found);
    return {};
}

/// The mover's old block is free but for what its newcomer was promised there.
void BlockAllocator::free_old_block(SessionIndex mover) {
    const SessionIndex newcomer = sessions_.handover(mover).partner;
    if (newcomer == no_session) {
        memory_.give(sessions_.spot(mover));
        return;
    }
    memory_.give_but(sessions_.spot(mover), sessions_.spot(newcomer));
    sessions_.end_promise(mover, newcomer);
    sessions_.settle(newcomer);
}

tl::unexpected<Error> BlockAllocator::no_place_left() const {
    Mebibytes largest_host;
    std::size_t accepting = 0;
    std::size_t shut = 0;
    for (std::uint32_t number = 0; number < hosts_.size(); ++number) {
        if (hosts_[number].id.empty())
            continue;
        memory_.accepts(number) ? ++accepting : ++shut;
        largest_host = std::max(largest_host, hosts_[number].capacity);
    }
    if (accepting == 0)
        return fail(Errc::refused,
                    hosts_.empty() ? "there is no host to run a desktop on"
                                   : "no host accepts desktops now",
                    shut > 0 ? "undrain a host, or bring one back that cannot be reached"
                             : "add a host");
    const auto hosts = [](std::size_t n) { return fmt::format("{} host{}", n, n == 1 ? "" : "s"); };
    std::string hint =
        fmt::format("wait until somebody leaves, or add a host (one of {} has room for {} more)",
                    to_string(largest_host), largest_host.count / smallest().count);
    if (settings_.levels < max_levels && smallest().count >= 2 && smallest().count % 2 == 0)
        hint += fmt::format(", or allow desktops of {} (one level more)",
                            to_string(smallest().halved(1)));
    if (shut > 0)
        hint += fmt::format(", or let {} accept desktops again", hosts(shut));
    return fail(Errc::refused,
                fmt::format("all places are taken: {} of {} in use on {}, down to {} each",
                            sessions_.size(), capacity(), hosts(accepting), to_string(smallest())),
                std::move(hint));
}

tl::unexpected<Error> BlockAllocator::nothing_free_now() const {
    const std::string in_use =
        fmt::format("{} of {} places are in use", sessions_.size(), capacity());
    if (handoffs_ > 0)
        return fail(
            Errc::busy,
            fmt::format("no memory is free until a handoff under way has finished ({})", in_use),
            "try again in a moment");
    if (memory_.free_slots(settings_.levels - 1) > 0)
        return fail(Errc::busy,
                    fmt::format("those whose desktop could be made smaller do not want to be "
                                "moved now ({})",
                                in_use),
                    "try again in a minute");
    return fail(Errc::refused,
                fmt::format("there is memory only if desktops are made smaller, and no slot is "
                            "free to hand one over through ({})",
                            in_use),
                "wait until somebody leaves, add a host, or let one accept desktops again");
}

// ---------------------------------------------------------------- handoffs

void BlockAllocator::begin(SessionIndex session, const Spot& to) {
    sessions_.begin_move(session, to);
    ++handoffs_;
    sessions_.settle(session);
}

void BlockAllocator::end(SessionIndex session) {
    sessions_.end_move(session);
    --handoffs_;
    sessions_.settle(session);
}

Result<void> BlockAllocator::begin_handoff(const Handoff& handoff) {
    const auto found = settled(handoff.session);
    if (!found)
        return tl::unexpected(found.error());
    const auto host = host_number(handoff.to.host);
    if (!host)
        return tl::unexpected(host.error());
    const auto level = level_of(handoff.to.size);
    if (!level)
        return tl::unexpected(level.error());
    const Spot from = sessions_.spot(*found);
    if (const Block at = block(from); at.host != handoff.from.host || at.size != handoff.from.size)
        return fail(Errc::conflict,
                    fmt::format("session '{}' has {} on {} now, not {} on {}",
                                handoff.session.value, to_string(at.size), at.host.value,
                                to_string(handoff.from.size), handoff.from.host.value),
                    "plan the handoff again");
    const auto stale = [&] {
        return fail(Errc::conflict,
                    fmt::format("there is no room any more to hand session '{}' over to {} on {}",
                                handoff.session.value, to_string(handoff.to.size),
                                handoff.to.host.value),
                    "plan the handoff again");
    };
    if (*level < from.level && !may_grow(*found, *level))
        return stale();
    const auto offset = static_cast<std::uint64_t>(handoff.to.offset.count / size_of(*level).count);
    auto to = memory_.take_at(*host, *level, offset);
    if (!to)
        to = memory_.take_on(*host, *level); // the place within the host has no meaning outside
    if (!to)
        return stale();
    if (!leaves_room(from, *to)) {
        memory_.give(*to);
        return stale();
    }
    begin(*found, *to);
    return {};
}

/// With `to` taken: a slot for the next handoff is free, or comes free however this one ends, or
/// nobody is left to be handed off.
bool BlockAllocator::leaves_room(const Spot& from, const Spot& to) const {
    const unsigned last = settings_.levels - 1;
    return memory_.accepts(from.host) || !memory_.accepts(to.host) ||
           memory_.free_slots(last) > 0 || (to.level == last && !sessions_.any_larger(last));
}

Result<SessionIndex> BlockAllocator::moving(const SessionId& session) const {
    auto found = known(session);
    if (found && !sessions_.at(*found).moving)
        return fail(Errc::not_found,
                    fmt::format("no handoff of session '{}' is under way", session.value));
    return found;
}

Result<void> BlockAllocator::finish_handoff(const SessionId& session) {
    const auto found = moving(session);
    if (!found)
        return tl::unexpected(found.error());
    free_old_block(*found);
    sessions_.set_spot(*found, sessions_.handover(*found).to);
    end(*found);
    return {};
}

Result<void> BlockAllocator::cancel_handoff(const SessionId& session) {
    const auto found = moving(session);
    if (!found)
        return tl::unexpected(found.error());
    const auto& [to, newcomer] = sessions_.handover(*found);
    if (newcomer != no_session)
        return fail(Errc::conflict,
                    fmt::format("the handoff of session '{}' makes room for session '{}'",
                                session.value, sessions_.id(newcomer).value),
                    "let that one leave first, and join it again after");
    memory_.give(to);
    end(*found);
    return {};
}

std::optional<SessionId> BlockAllocator::promised_to(const SessionId& session) const {
    const auto found = moving(session);
    if (!found || sessions_.handover(*found).partner == no_session)
        return std::nullopt;
    return sessions_.id(sessions_.handover(*found).partner);
}

void BlockAllocator::set_movable(const SessionId& session, bool movable) {
    const SessionIndex found = sessions_.find(SoughtId(session));
    if (found == no_session)
        return;
    sessions_.set_movable(found, movable);
    sessions_.settle(found);
}

void BlockAllocator::set_floor(const SessionId& session, std::optional<Mebibytes> least) {
    if (!policy_->heeds_floors())
        return;
    if (!least || least->count <= 0) {
        floors_.erase(session);
        return;
    }
    unsigned level = 0; // who needs more than the largest size needs the largest
    while (level + 1 < settings_.levels && size_of(level + 1) >= *least)
        ++level;
    floors_[session] = level;
}

// ---------------------------------------------------------------- looking

Result<SessionIndex> BlockAllocator::known(const SessionId& session) const {
    const SessionIndex found = sessions_.find(SoughtId(session));
    if (found == no_session)
        return fail(Errc::not_found, fmt::format("session '{}' has no place", session.value));
    return found;
}

Result<SessionIndex> BlockAllocator::settled(const SessionId& session) const {
    auto found = known(session);
    if (!found)
        return found;
    const SessionRecord& record = sessions_.at(*found);
    if (record.moving || record.promised)
        return fail(Errc::conflict,
                    fmt::format("session '{}' {}", session.value,
                                record.moving ? "is being handed off already"
                                              : "still waits for its memory"),
                    "plan again when that has finished");
    return found;
}

std::optional<SessionPlacement> BlockAllocator::find(const SessionId& session) const {
    const SessionIndex found = sessions_.find(SoughtId(session));
    if (found == no_session)
        return std::nullopt;
    return placement(found);
}

SessionPlacement BlockAllocator::placement(SessionIndex session) const {
    return {sessions_.id(session),
            block(sessions_.at(session).moving ? sessions_.handover(session).to
                                               : sessions_.spot(session)),
            sessions_.joined(session)};
}

std::vector<SessionPlacement> BlockAllocator::placements() const {
    std::vector<SessionPlacement> all;
    all.reserve(sessions_.size());
    for (const SessionIndex i : sessions_.in_order())
        all.push_back(placement(i));
    return all;
}

Mebibytes BlockAllocator::free_total() const {
    return smallest() * static_cast<std::int64_t>(memory_.free_slots(settings_.levels - 1));
}

Mebibytes BlockAllocator::used(const HostId& host) const {
    const auto number = host_number(host);
    return number ? smallest() * static_cast<std::int64_t>(memory_.used(*number)) : Mebibytes();
}

std::size_t BlockAllocator::capacity() const {
    return memory_.slots(settings_.levels - 1);
}

} // namespace baton::allocation
