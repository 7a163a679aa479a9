#include "allocation/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace baton::allocation {

namespace {

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// "HOST LOAD"
std::optional<LoadChange> load_change(std::string_view words) {
    const auto gap = words.find_first_of(" \t");
    if (gap == std::string_view::npos)
        return std::nullopt;
    const auto load = load_from(trimmed(words.substr(gap)));
    if (!load)
        return std::nullopt;
    return LoadChange{HostId(std::string(words.substr(0, gap))), *load};
}

/// SplitMix64: the standard library's distributions differ from one to another.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t below(std::uint64_t limit) { return next() % limit; }

  private:
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }

    std::uint64_t state_;
};

} // namespace

Result<std::vector<TraceEvent>> parse_trace(std::string_view text) {
    std::vector<TraceEvent> events;
    std::unordered_set<std::string> present;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        line = trimmed(line.substr(0, line.find('#')));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty())
            continue;
        const auto bad = [&](std::string what) {
            return fail(Errc::invalid_argument, fmt::format("line {}: {}", number, what),
                        "write '+ NAME' for somebody who joins, '- NAME' for one who leaves, "
                        "'@ HOST LOAD' for a host that is idle, usual, busy or swamped");
        };
        if (line[0] == '@') {
            const auto change = load_change(trimmed(line.substr(1)));
            if (!change)
                return bad(fmt::format("'{}' does not say which load a host has", line));
            events.push_back({true, {}, change});
            continue;
        }
        const std::string name(trimmed(line.substr(1)));
        if ((line[0] != '+' && line[0] != '-') || name.empty() ||
            name.find_first_of(" \t") != std::string::npos)
            return bad(fmt::format("'{}' is neither a join, a leave nor a load", line));
        const bool join = line[0] == '+';
        if (join && !present.insert(name).second)
            return bad(fmt::format("'{}' has joined already", name));
        if (!join && present.erase(name) == 0)
            return bad(fmt::format("'{}' has not joined", name));
        events.push_back({join, SessionId(name), std::nullopt});
    }
    return events;
}

std::vector<TraceEvent> random_trace(std::uint64_t seed, std::size_t capacity,
                                     unsigned load_percent, std::size_t events) {
    Random random(seed);
    // one arrives while, on the average, each of `load` others leaves: n settles about `load`
    const std::uint64_t load =
        std::max<std::uint64_t>(1, std::uint64_t{capacity} * load_percent / 100);
    std::vector<TraceEvent> trace;
    trace.reserve(events);
    std::vector<SessionId> present;
    std::uint64_t next = 0;
    while (trace.size() < events) {
        const bool join = random.below(load + present.size()) < load;
        if (join && present.size() <= capacity) {
            present.emplace_back(fmt::format("s-{:08}", ++next));
            trace.push_back({true, present.back(), std::nullopt});
        } else if (!present.empty()) {
            std::swap(present[random.below(present.size())], present.back());
            trace.push_back({false, std::move(present.back()), std::nullopt});
            present.pop_back();
        }
    }
    return trace;
}

} // namespace baton::allocation
