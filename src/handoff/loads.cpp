#include "handoff/loads.h"

#include "handoff/planner.h"

#include <fmt/format.h>

#include <vector>

namespace baton::handoff {

bool HostLoads::heard(const HostId& host, Load load, Time until) {
    const auto [entry, first] = heard_.insert_or_assign(host, Heard{load, until});
    compare(host);
    return first;
}

std::optional<HostLoads::Time> HostLoads::expire(const HostId& host, Time now) {
    const auto found = heard_.find(host);
    if (found == heard_.end())
        return std::nullopt;
    if (found->second.until > now)
        return found->second.until;
    heard_.erase(found);
    compare(host);
    return std::nullopt;
}

std::optional<Load> HostLoads::known(const HostId& host) const {
    const auto found = heard_.find(host);
    if (found == heard_.end())
        return std::nullopt;
    return found->second.load;
}

Load HostLoads::planned(const HostId& host) const {
    const auto found = planned_.find(host);
    return found == planned_.end() ? Load::usual : found->second;
}

void HostLoads::plan_with(const HostId& host, Load load) {
    if (load == Load::usual)
        planned_.erase(host);
    else
        planned_[host] = load;
    compare(host);
}

void HostLoads::unplan(const HostId& host) {
    planned_.erase(host);
    compare(host);
}

void HostLoads::unplan_all() {
    planned_.clear();
    changed_.clear();
    for (const auto& [host, heard] : heard_)
        compare(host);
}

void HostLoads::compare(const HostId& host) {
    if (now(host) == planned(host))
        changed_.erase(host);
    else
        changed_.insert(host);
}

// ---- the planner's part ----------------------------------------------------------------

void Planner::heard_load(const HostId& host, Load load, std::chrono::nanoseconds valid_for) {
    if (!core_.settings.place_by_load)
        return;
    if (loads_.heard(host, load, core_.clock.monotonic() + valid_for))
        core_.later(valid_for, [this, host] { expire_load(host); });
}

void Planner::expire_load(const HostId& host) {
    const auto now = core_.clock.monotonic();
    if (const auto until = loads_.expire(host, now))
        core_.later(*until - now, [this, host] { expire_load(host); });
}

/// Written down before a plan goes by them: whoever plays the events again makes the same plans.
void Planner::take_loads() {
    store::Change told;
    std::vector<std::pair<HostId, Load>> taken;
    for (const HostId& host : loads_.changed()) {
        if (!known_.contains(host))
            continue;
        const auto known = loads_.known(host);
        const Load load = known.value_or(Load::usual);
        const auto was = to_string(loads_.planned(host));
        core_.tell(told, "host.load", host.value,
                   known ? fmt::format("{} is {}, by its monitor, and was {}: less loaded hosts "
                                       "with room get new desktops first.",
                                       host.value, to_string(load), was)
                         : fmt::format("Nothing is heard of {}'s load any more, which was {}: it "
                                       "counts as usual.",
                                       host.value, was),
                   {{"load", to_string(load)}, {"was", was}, {"known", known.has_value()}});
        taken.emplace_back(host, load);
    }
    if (taken.empty() || !core_.state.commit(told))
        return; // not written: plans go on by the former loads, and it is tried at the next one
    for (const auto& [host, load] : taken) {
        static_cast<void>(allocator_->set_load(host, load)); // not found: it lends nothing
        loads_.plan_with(host, load);
    }
}

void Planner::take_advice(const store::SessionRow& session, store::Change* told) {
    if (!core_.settings.advice || core_.settings.policy != "advised")
        return;
    const auto advice = core_.settings.advice(session.user, session.image);
    allocator_->set_floor(session.id,
                          advice ? std::optional(advice->least) : std::optional<Mebibytes>());
    if (advice && told != nullptr)
        core_.tell(*told, "session.advised", session.id.value,
                   fmt::format("{} is to have {} or more, if it can be had: {}", session.user.value,
                               to_string(advice->least), advice->why),
                   {{"least_mib", advice->least.count}});
}

} // namespace baton::handoff
