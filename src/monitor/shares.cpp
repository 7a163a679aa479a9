#include "monitor/shares.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace baton::monitor {

namespace {

/// CPUs that the desktop used or stood in the queue for.
Value demand_of(const DesktopReading& desktop) {
    const auto& rates = desktop.rates;
    if (!rates.cpu_percent_of_vcpus || desktop.who.vcpus == 0)
        return std::nullopt;
    const double percent = *rates.cpu_percent_of_vcpus + rates.vcpu_wait_percent.value_or(0);
    return desktop.who.vcpus * std::clamp(percent, 0.0, 100.0) / 100;
}

std::string sentence(const std::vector<ShareChange>& changes, double demand, double processors,
                     bool is_short) {
    std::string text =
        is_short
            ? fmt::format("the desktops want {:.1f} of {:g} CPUs:", demand, processors)
            : fmt::format("the desktops want {:.1f} of {:g} CPUs, there is enough for all:", demand,
                          processors);
    constexpr std::size_t most_named = 6;
    for (std::size_t i = 0; i < std::min(changes.size(), most_named); ++i)
        text += fmt::format("{} {} (wants {:.1f}) {} -> {}", i == 0 ? "" : ",",
                            changes[i].desktop.value, changes[i].wanted_cpus, changes[i].was,
                            changes[i].weight);
    if (changes.size() > most_named)
        text += fmt::format(" and {} more", changes.size() - most_named);
    return text;
}

} // namespace

unsigned ShareRule::weight(const DesktopId& desktop) const {
    const auto found = desktops_.find(desktop);
    return found == desktops_.end() ? equal_weight : found->second.weight;
}

void ShareRule::undo(const ShareChange& change) {
    if (const auto found = desktops_.find(change.desktop); found != desktops_.end())
        found->second.weight = change.was;
}

void ShareRule::measure(const Reading& reading) {
    const Value seconds = seconds_between(at_, reading.at);
    const double part = seconds ? 1 - std::exp(-*seconds / settings_.smoothing_seconds) : 1;
    at_ = reading.at;
    std::map<DesktopId, Known> present;
    for (const DesktopReading& desktop : reading.desktops) {
        if (desktop.who.desktop.empty() || desktop.who.state != DomainState::running)
            continue;
        Known known;
        if (const auto found = desktops_.find(desktop.who.desktop); found != desktops_.end())
            known = found->second;
        if (const Value demand = demand_of(desktop)) { // otherwise what was known of it holds on
            known.demand += (*demand - known.demand) * (known.measured ? part : 1);
            known.measured = true;
        }
        present.emplace(desktop.who.desktop, known);
    }
    desktops_ = std::move(present);
}

std::vector<ShareChange> ShareRule::wanted(double processors) const {
    const double equal = processors / static_cast<double>(desktops_.size());
    const double floor = equal * settings_.floor;
    double beyond = 0;
    for (const auto& [desktop, known] : desktops_)
        beyond += std::max(0.0, known.demand - floor);
    const double spare = processors - floor * static_cast<double>(desktops_.size());
    std::vector<ShareChange> all;
    for (const auto& [desktop, known] : desktops_) {
        const double share = short_ && beyond > 0
                                 ? floor + spare * std::max(0.0, known.demand - floor) / beyond
                                 : equal;
        const auto weight = static_cast<unsigned>(
            std::clamp(std::lround(equal_weight * share / equal), 1L, 10'000L));
        all.push_back({desktop, known.weight, weight, known.demand});
    }
    return all;
}

std::optional<ShareChanges> ShareRule::take(const Reading& reading) {
    measure(reading);
    const double processors = reading.rates.processors;
    if (desktops_.empty() || processors == 0)
        return std::nullopt;
    double demand = 0;
    for (const auto& [desktop, known] : desktops_)
        demand += known.demand;
    short_ = demand >= processors * (short_ ? settings_.short_until : settings_.short_from);

    const Value since = seconds_between(changed_, reading.at);
    if (changed_.known() && since && *since < settings_.least_seconds)
        return std::nullopt;
    auto all = wanted(processors);
    const auto is_far = [&](const ShareChange& change) {
        const double ratio = static_cast<double>(change.weight) / change.was;
        return ratio >= settings_.hysteresis || ratio <= 1 / settings_.hysteresis;
    };
    const bool back_to_equal = !short_ && std::ranges::any_of(all, [](const ShareChange& change) {
        return change.was != change.weight;
    });
    if (!back_to_equal && std::ranges::none_of(all, is_far))
        return std::nullopt;
    std::erase_if(all, [](const ShareChange& change) { return change.was == change.weight; });
    for (const ShareChange& change : all)
        desktops_.at(change.desktop).weight = change.weight;
    changed_ = reading.at;
    std::string reason = sentence(all, demand, processors, short_);
    return ShareChanges{std::move(all), std::move(reason)};
}

} // namespace baton::monitor
