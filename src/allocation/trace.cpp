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
                        "write '+ NAME' for somebody who joins and '- NAME' for one who leaves");
        };
        const std::string name(trimmed(line.substr(1)));
        if ((line[0] != '+' && line[0] != '-') || name.empty() ||
            name.find_first_of(" \t") != std::string::npos)
            return bad(fmt::format("'{}' is neither a join nor a leave", line));
        const bool join = line[0] == '+';
        if (join && !present.insert(name).second)
            return bad(fmt::format("'{}' has joined already", name));
        if (!join && present.erase(name) == 0)
            return bad(fmt::format("'{}' has not joined", name));
        events.push_back({join, SessionId(name)});
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
            trace.push_back({true, present.back()});
        } else if (!present.empty()) {
            std::swap(present[random.below(present.size())], present.back());
            trace.push_back({false, std::move(present.back())});
            present.pop_back();
        }
    }
    return trace;
}

} // namespace baton::allocation
