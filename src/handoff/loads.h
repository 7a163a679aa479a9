#pragma once

#include "model/ids.h"
#include "model/load.h"

#include <chrono>
#include <map>
#include <optional>
#include <set>

namespace baton::handoff {

/// What the hosts' monitors said of their load, as long as it can be believed, and which of it the
/// plans go by already. Times are the engine's monotonic clock's.
class HostLoads {
  public:
    using Time = std::chrono::nanoseconds;

    /// Whether nobody looks yet for the moment when this becomes stale: expire() is owed then.
    [[nodiscard]] bool heard(const HostId& host, Load load, Time until);
    /// Forgets what has become stale. Later: when to look again; none: nothing is known.
    std::optional<Time> expire(const HostId& host, Time now);

    /// None: nothing is known, or not any more.
    [[nodiscard]] std::optional<Load> known(const HostId& host) const;

    /// What plans go by.
    [[nodiscard]] Load planned(const HostId& host) const;
    void plan_with(const HostId& host, Load load);

    /// Hosts whose load is not (any more) the one that plans go by.
    [[nodiscard]] const std::set<HostId>& changed() const { return changed_; }

    /// The host's place in the plans is gone; what is known of it stays.
    void unplan(const HostId& host);
    /// Plans begin anew.
    void unplan_all();

  private:
    struct Heard {
        Load load = Load::usual;
        Time until{};
    };

    [[nodiscard]] Load now(const HostId& host) const { return known(host).value_or(Load::usual); }

    void compare(const HostId& host);

    std::map<HostId, Heard> heard_;
    std::map<HostId, Load> planned_; ///< those that are not "usual"
    std::set<HostId> changed_;
};

} // namespace baton::handoff
