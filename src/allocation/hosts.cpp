/// BlockAllocator: hosts that come, drain and are lost, and what start-up finds on them.
#include "allocation/block_allocator.h"

#include <fmt/format.h>

#include <algorithm>

namespace baton::allocation {

namespace {

constexpr std::int64_t most_slots = std::int64_t{1} << 20;

} // namespace

Result<std::uint32_t> BlockAllocator::host_number(const HostId& host) const {
    const auto found = numbers_.find(host);
    if (found == numbers_.end())
        return fail(Errc::not_found, fmt::format("no host is called '{}'", host.value));
    return found->second;
}

Result<unsigned> BlockAllocator::level_of(Mebibytes size) const {
    if (size.count <= 0)
        return fail(Errc::invalid_argument, fmt::format("{} MiB is no size", size.count));
    if (size > settings_.largest)
        return fail(Errc::conflict,
                    fmt::format("a desktop of {} is larger than the largest size, {}",
                                to_string(size), to_string(settings_.largest)));
    unsigned level = 0;
    while (level + 1 < settings_.levels && size_of(level + 1) >= size)
        ++level;
    return level;
}

Result<void> BlockAllocator::add_host(const HostCapacity& host) {
    if (host.id.empty())
        return fail(Errc::invalid_argument, "a host needs a name");
    if (numbers_.contains(host.id))
        return fail(Errc::already_exists, fmt::format("host '{}' is known already", host.id.value));
    if (host.capacity < smallest())
        return fail(Errc::invalid_argument,
                    fmt::format("host '{}' lends {} MiB, which does not hold one desktop of the "
                                "smallest size, {}",
                                host.id.value, host.capacity.count, to_string(smallest())),
                    "lend more of its memory, or allow smaller desktops (more levels)");
    const std::int64_t units = host.capacity.count / smallest().count;
    if (units > most_slots)
        return fail(Errc::invalid_argument,
                    fmt::format("host '{}' would hold {} desktops of {}; {} are the most that can "
                                "be planned for one host",
                                host.id.value, units, to_string(smallest()), most_slots),
                    "make the largest size larger, or the levels fewer");
    if (!memory_.has_numbers_for(static_cast<std::uint64_t>(units)))
        return fail(Errc::invalid_argument, "there are more hosts than can be planned for",
                    "make the largest size larger, or the levels fewer");
    const std::uint32_t number =
        memory_.add_host(static_cast<std::uint64_t>(units), host.accepts, host.load);
    if (number == hosts_.size())
        hosts_.emplace_back();
    hosts_[number] = Host{host.id, host.capacity};
    numbers_.emplace(host.id, number);
    return {};
}

Result<void> BlockAllocator::set_accepts(const HostId& host, bool accepts) {
    const auto number = host_number(host);
    if (!number)
        return tl::unexpected(number.error());
    memory_.set_accepts(*number, accepts);
    sessions_.settle_all();
    return {};
}

Result<void> BlockAllocator::set_load(const HostId& host, Load load) {
    const auto number = host_number(host);
    if (!number)
        return tl::unexpected(number.error());
    memory_.set_load(*number, load);
    return {};
}

Result<std::vector<SessionId>> BlockAllocator::lose_host(const HostId& host) {
    const auto number = host_number(host);
    if (!number)
        return tl::unexpected(number.error());
    const std::vector<SessionIndex> everybody = sessions_.in_order();
    std::vector<bool> gone(everybody.empty() ? 0 : std::ranges::max(everybody) + 1U, false);
    for (const SessionIndex i : everybody) {
        const bool at_lost = sessions_.spot(i).host == *number;
        if (!sessions_.at(i).moving) {
            gone[i] = gone[i] || at_lost;
            continue;
        }
        const auto [to, newcomer] = sessions_.handover(i);
        if (!at_lost && to.host != *number)
            continue;
        if (newcomer != no_session) { // its handoff is off, or its memory is lost
            sessions_.end_promise(i, newcomer);
            gone[newcomer] = true;
        }
        gone[i] = at_lost && to.host == *number;
        if (at_lost)
            sessions_.set_spot(i, to);
        end(i);
    }
    std::vector<SessionId> names;
    for (const SessionIndex i : everybody) {
        if (!gone[i])
            continue;
        names.push_back(sessions_.id(i));
        sessions_.remove(i);
    }
    memory_.remove_host(*number);
    numbers_.erase(host);
    hosts_[*number] = Host{};
    sessions_.settle_all();
    return names;
}

Result<void> BlockAllocator::adopt(const SessionId& session, const HostId& host, Mebibytes size,
                                   std::uint64_t joined) {
    if (session.empty())
        return fail(Errc::invalid_argument, "a session without a name cannot be given a place");
    const SoughtId sought(session);
    if (sessions_.find(sought) != no_session)
        return fail(Errc::already_exists,
                    fmt::format("session '{}' has a place already", session.value));
    const auto number = host_number(host);
    if (!number)
        return tl::unexpected(number.error());
    const auto level = level_of(size);
    if (!level)
        return tl::unexpected(level.error());
    const auto spot = memory_.take_on(*number, *level);
    if (!spot)
        return fail(Errc::conflict,
                    fmt::format("{} of session '{}' do not fit on host '{}': {} of {} are taken",
                                to_string(size), session.value, host.value, to_string(used(host)),
                                to_string(hosts_[*number].capacity)));
    sessions_.settle(sessions_.add_at(sought, *spot, joined));
    return {};
}

Result<void> BlockAllocator::adopt_handoff(const SessionId& session, const HostId& host,
                                           Mebibytes size) {
    const auto found = settled(session);
    if (!found)
        return tl::unexpected(found.error());
    const auto number = host_number(host);
    if (!number)
        return tl::unexpected(number.error());
    const auto level = level_of(size);
    if (!level)
        return tl::unexpected(level.error());
    const auto to = memory_.take_on(*number, *level);
    if (!to)
        return fail(Errc::conflict,
                    fmt::format("the new desktop of session '{}', {}, does not fit on host '{}': "
                                "{} of {} are taken",
                                session.value, to_string(size), host.value, to_string(used(host)),
                                to_string(hosts_[*number].capacity)));
    begin(*found, *to);
    return {};
}

} // namespace baton::allocation
