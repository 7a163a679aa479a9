#include "api/throttle.h"

#include <algorithm>

namespace baton::api {

std::chrono::nanoseconds Throttle::wait(const std::string& key,
                                        std::chrono::nanoseconds now) const {
    const auto found = keys_.find(key);
    if (found == keys_.end() || found->second.not_before <= now)
        return std::chrono::nanoseconds::zero();
    return found->second.not_before - now;
}

void Throttle::make_room(std::chrono::nanoseconds now) {
    std::erase_if(
        keys_, [&](const auto& entry) { return entry.second.last + limits_.forget_after <= now; });
    if (keys_.size() < limits_.most_keys)
        return;
    const auto stalest =
        std::ranges::min_element(keys_, {}, [](const auto& entry) { return entry.second.last; });
    keys_.erase(stalest);
}

void Throttle::failed(const std::string& key, std::chrono::nanoseconds now) {
    if (!keys_.contains(key) && keys_.size() >= limits_.most_keys)
        make_room(now);
    State& state = keys_[key];
    if (state.last + limits_.forget_after <= now)
        state.failures = 0;
    ++state.failures;
    state.last = now;
    if (state.failures <= limits_.free_tries)
        return;
    const unsigned doublings = std::min(state.failures - limits_.free_tries - 1, 30U);
    const auto pause = limits_.first_pause * (std::int64_t{1} << doublings);
    state.not_before = now + std::min<std::chrono::nanoseconds>(pause, limits_.longest_pause);
}

void Throttle::forgive(const std::string& key) {
    const auto found = keys_.find(key);
    if (found != keys_.end() && --found->second.failures == 0)
        keys_.erase(found);
}

} // namespace baton::api
