#include "allocation/memory_map.h"

#include <algorithm>

namespace baton::allocation {

std::uint32_t MemoryMap::add_host(std::uint64_t units, bool accepts, Load load) {
    std::uint32_t number = 0;
    if (free_numbers_.empty()) {
        number = static_cast<std::uint32_t>(hosts_.size());
        hosts_.emplace_back();
        group_.emplace_back();
    } else {
        number = free_numbers_.back();
        free_numbers_.pop_back();
    }
    Host& host = hosts_[number];
    host = Host{.first_top = place(tops_of(units), number), .units = units, .load = load};
    group_[number] = accepts ? static_cast<std::uint8_t>(load) : shut;
    ++hosts_in_[group_[number]];
    make_room(trees_of(number));
    if (accepts)
        count_slots(host, true);

    // whole tops first, then what is left in ever smaller blocks
    std::uint64_t at = 0;
    for (unsigned level = 0; level < levels_; ++level)
        for (; at + units_of(level) <= units; at += units_of(level))
            mark(trees_of(number), level, begin(host, level) + at / units_of(level));
    return number;
}

std::uint64_t MemoryMap::place(std::uint64_t tops, std::uint32_t host) {
    const auto fits =
        std::ranges::find_if(vacant_, [&](const Vacancy& v) { return v.tops == tops; });
    std::uint64_t first = owner_.size();
    if (fits != vacant_.end()) {
        first = fits->first_top;
        vacant_.erase(fits);
    } else {
        owner_.resize(first + tops);
    }
    std::fill_n(owner_.begin() + static_cast<std::ptrdiff_t>(first), tops, host);
    return first;
}

/// Trees grow when a host comes to them: most loads are never seen.
void MemoryMap::make_room(Trees& trees) {
    for (unsigned level = 0; level < levels_; ++level)
        trees[level].grow(owner_.size() << level);
}

void MemoryMap::remove_host(std::uint32_t number) {
    Host& host = hosts_[number];
    Trees& trees = trees_of(number);
    for (unsigned level = 0; level < levels_; ++level)
        for (auto i = trees[level].first(begin(host, level)); i < end(host, level);
             i = trees[level].first(i + 1))
            unmark(trees, level, i);
    if (accepts(number))
        count_slots(host, false);
    --hosts_in_[group_[number]];
    vacant_.push_back({host.first_top, tops_of(host.units)});
    free_numbers_.push_back(number);
    host = Host{};
}

void MemoryMap::set_accepts(std::uint32_t number, bool accepts_now) {
    if (accepts(number) == accepts_now)
        return;
    const Host& host = hosts_[number];
    move_to(number, accepts_now ? static_cast<std::uint8_t>(host.load) : shut);
    count_slots(host, accepts_now);
}

void MemoryMap::set_load(std::uint32_t number, Load load) {
    hosts_[number].load = load;
    if (accepts(number) && group_[number] != static_cast<std::uint8_t>(load))
        move_to(number, static_cast<std::uint8_t>(load));
}

void MemoryMap::move_to(std::uint32_t number, std::uint8_t group) {
    const Host& host = hosts_[number];
    Trees& from = trees_of(number);
    Trees& to = trees_[group];
    make_room(to);
    for (unsigned level = 0; level < levels_; ++level)
        for (auto i = from[level].first(begin(host, level)); i < end(host, level);
             i = from[level].first(i + 1)) {
            unmark(from, level, i);
            mark(to, level, i);
        }
    --hosts_in_[group_[number]];
    ++hosts_in_[group];
    group_[number] = group;
}

std::uint64_t MemoryMap::used(std::uint32_t number) const {
    const Host& host = hosts_[number];
    const Trees& trees = trees_[group_[number]];
    std::uint64_t free = 0;
    for (unsigned level = 0; level < levels_; ++level)
        for (auto i = trees[level].first(begin(host, level)); i < end(host, level);
             i = trees[level].first(i + 1))
            free += units_of(level);
    return host.units - free;
}

void MemoryMap::count_slots(const Host& host, bool add) {
    for (unsigned level = 0; level < levels_; ++level) {
        const std::uint64_t slots = host.units / units_of(level);
        slots_[level] = add ? slots_[level] + slots : slots_[level] - slots;
    }
}

void MemoryMap::mark(Trees& trees, unsigned level, std::uint64_t position) {
    trees[level].set(position);
    if (&trees != &trees_[shut])
        ++open_blocks_[level];
}

void MemoryMap::unmark(Trees& trees, unsigned level, std::uint64_t position) {
    trees[level].clear(position);
    if (&trees != &trees_[shut])
        --open_blocks_[level];
}

std::uint64_t MemoryMap::free_slots(unsigned level) const {
    std::uint64_t slots = 0;
    for (unsigned k = 0; k <= level; ++k)
        slots += open_blocks_[k] << (level - k);
    return slots;
}

/// The free block at `level` becomes one of `wanted` (its first) and its free buddies.
Spot MemoryMap::split(Trees& trees, unsigned level, std::uint64_t position, unsigned wanted) {
    unmark(trees, level, position);
    for (; level < wanted; ++level) {
        position *= 2;
        mark(trees, level + 1, position + 1);
    }
    return Spot{static_cast<std::uint32_t>(position), owner_[position >> wanted],
                static_cast<std::uint8_t>(wanted)};
}

/// The level that the smallest free block of that group that fits has, or none.
std::optional<unsigned> MemoryMap::best_fit(std::size_t group, unsigned level) const {
    for (unsigned k = level + 1; hosts_in_[group] > 0 && k-- > 0;)
        if (open_blocks_[k] > 0 && !trees_[group][k].empty())
            return k;
    return std::nullopt;
}

std::optional<Spot> MemoryMap::take(unsigned level) {
    for (std::size_t group = 0; group < load_count; ++group)
        if (const auto fits = best_fit(group, level))
            return split(trees_[group], *fits, trees_[group][*fits].first(), level);
    return std::nullopt;
}

std::optional<Spot> MemoryMap::take_on(std::uint32_t number, unsigned level) {
    const Host& host = hosts_[number];
    Trees& trees = trees_of(number);
    for (unsigned k = level + 1; k-- > 0;)
        if (const auto found = trees[k].first(begin(host, k)); found < end(host, k))
            return split(trees, k, found, level);
    return std::nullopt;
}

std::optional<Spot> MemoryMap::take_at(std::uint32_t number, unsigned level, std::uint64_t offset) {
    const Host& host = hosts_[number];
    if (offset >= host.units / units_of(level))
        return std::nullopt;
    Trees& trees = trees_of(number);
    const std::uint64_t position = begin(host, level) + offset;
    for (unsigned k = level + 1; k-- > 0;) {
        if (!trees[k].test(position >> (level - k)))
            continue;
        unmark(trees, k, position >> (level - k));
        for (unsigned down = k + 1; down <= level; ++down) // the halves that are not wanted
            mark(trees, down, (position >> (level - down)) ^ 1U);
        return Spot{static_cast<std::uint32_t>(position), number, static_cast<std::uint8_t>(level)};
    }
    return std::nullopt;
}

void MemoryMap::release(Trees& trees, unsigned level, std::uint64_t position) {
    for (; level > 0 && trees[level].test(position ^ 1U); --level, position /= 2)
        unmark(trees, level, position ^ 1U);
    mark(trees, level, position);
}

void MemoryMap::give(const Spot& spot) {
    release(trees_of(spot.host), spot.level, spot.position);
}

void MemoryMap::give_but(const Spot& whole, const Spot& kept) {
    for (unsigned level = kept.level; level > whole.level; --level)
        release(trees_of(whole.host), level, (kept.position >> (kept.level - level)) ^ 1U);
}

} // namespace baton::allocation
