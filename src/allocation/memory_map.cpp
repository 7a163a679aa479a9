#include "allocation/memory_map.h"

#include <algorithm>

namespace baton::allocation {

std::uint32_t MemoryMap::add_host(std::uint64_t units, bool accepts) {
    std::uint32_t number = 0;
    if (free_numbers_.empty()) {
        number = static_cast<std::uint32_t>(hosts_.size());
        hosts_.emplace_back();
    } else {
        number = free_numbers_.back();
        free_numbers_.pop_back();
    }
    Host& host = hosts_[number];
    host = Host{.first_top = place(tops_of(units), number), .units = units, .accepts = accepts};
    if (accepts)
        count_slots(host, true);

    // whole tops first, then what is left in ever smaller blocks
    Trees& trees = accepts ? open_ : shut_;
    std::uint64_t at = 0;
    for (unsigned level = 0; level < levels_; ++level)
        for (; at + units_of(level) <= units; at += units_of(level))
            mark(trees, level, (host.first_top << level) + at / units_of(level));
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
        for (unsigned level = 0; level < levels_; ++level) {
            open_[level].grow(owner_.size() << level);
            shut_[level].grow(owner_.size() << level);
        }
    }
    std::fill_n(owner_.begin() + static_cast<std::ptrdiff_t>(first), tops, host);
    return first;
}

void MemoryMap::remove_host(std::uint32_t number) {
    Host& host = hosts_[number];
    const std::uint64_t tops = tops_of(host.units);
    Trees& trees = host.accepts ? open_ : shut_;
    for (unsigned level = 0; level < levels_; ++level) {
        const std::uint64_t end = (host.first_top + tops) << level;
        for (auto i = trees[level].first(host.first_top << level); i < end;
             i = trees[level].first(i + 1))
            unmark(trees, level, i);
    }
    if (host.accepts)
        count_slots(host, false);
    vacant_.push_back({host.first_top, tops});
    free_numbers_.push_back(number);
    host = Host{};
}

void MemoryMap::set_accepts(std::uint32_t number, bool accepts) {
    Host& host = hosts_[number];
    if (host.accepts == accepts)
        return;
    Trees& from = host.accepts ? open_ : shut_;
    Trees& to = host.accepts ? shut_ : open_;
    for (unsigned level = 0; level < levels_; ++level) {
        const std::uint64_t end = (host.first_top + tops_of(host.units)) << level;
        for (auto i = from[level].first(host.first_top << level); i < end;
             i = from[level].first(i + 1)) {
            unmark(from, level, i);
            mark(to, level, i);
        }
    }
    host.accepts = accepts;
    count_slots(host, accepts);
}

void MemoryMap::count_slots(const Host& host, bool add) {
    for (unsigned level = 0; level < levels_; ++level) {
        const std::uint64_t slots = host.units / units_of(level);
        slots_[level] = add ? slots_[level] + slots : slots_[level] - slots;
    }
}

void MemoryMap::mark(Trees& trees, unsigned level, std::uint64_t position) {
    trees[level].set(position);
    if (&trees == &open_)
        ++open_blocks_[level];
}

void MemoryMap::unmark(Trees& trees, unsigned level, std::uint64_t position) {
    trees[level].clear(position);
    if (&trees == &open_)
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
    const std::uint32_t number = owner_[position >> wanted];
    hosts_[number].used += units_of(wanted);
    return Spot{position, number, static_cast<std::uint8_t>(wanted)};
}

std::optional<Spot> MemoryMap::take(unsigned level) {
    for (unsigned k = level + 1; k-- > 0;)
        if (open_blocks_[k] > 0)
            return split(open_, k, open_[k].first(), level);
    return std::nullopt;
}

std::optional<Spot> MemoryMap::take_on(std::uint32_t number, unsigned level) {
    const Host& host = hosts_[number];
    Trees& trees = host.accepts ? open_ : shut_;
    for (unsigned k = level + 1; k-- > 0;) {
        const auto found = trees[k].first(host.first_top << k);
        if (found < (host.first_top + tops_of(host.units)) << k)
            return split(trees, k, found, level);
    }
    return std::nullopt;
}

std::optional<Spot> MemoryMap::take_at(std::uint32_t number, unsigned level, std::uint64_t offset) {
    const Host& host = hosts_[number];
    if (offset >= host.units / units_of(level))
        return std::nullopt;
    Trees& trees = host.accepts ? open_ : shut_;
    const std::uint64_t position = (host.first_top << level) + offset;
    for (unsigned k = level + 1; k-- > 0;) {
        if (!trees[k].test(position >> (level - k)))
            continue;
        unmark(trees, k, position >> (level - k));
        for (unsigned down = k + 1; down <= level; ++down) // the halves that are not wanted
            mark(trees, down, (position >> (level - down)) ^ 1U);
        hosts_[number].used += units_of(level);
        return Spot{position, number, static_cast<std::uint8_t>(level)};
    }
    return std::nullopt;
}

void MemoryMap::release(const Host& host, unsigned level, std::uint64_t position) {
    Trees& trees = host.accepts ? open_ : shut_;
    for (; level > 0 && trees[level].test(position ^ 1U); --level, position /= 2)
        unmark(trees, level, position ^ 1U);
    mark(trees, level, position);
}

void MemoryMap::give(const Spot& spot) {
    Host& host = hosts_[spot.host];
    host.used -= units_of(spot.level);
    release(host, spot.level, spot.position);
}

void MemoryMap::give_but(const Spot& whole, const Spot& kept) {
    Host& host = hosts_[whole.host];
    host.used -= units_of(whole.level) - units_of(kept.level);
    for (unsigned level = kept.level; level > whole.level; --level)
        release(host, level, (kept.position >> (kept.level - level)) ^ 1U);
}

} // namespace baton::allocation
