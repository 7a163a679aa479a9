#pragma once

#include "handoff/core.h"

#include <map>
#include <optional>

namespace baton::handoff {

/// Closes the difference between what runs (the hypervisors' word) and what should run (the
/// store's): hosts that come and go, desktops that were lost, desktops that nobody needs.
class Reconciler {
  public:
    explicit Reconciler(Core& core) : core_(core) {}

    /// Start-up: every host is away until it says otherwise.
    void begin();

    void host_up(const HostFacts& facts);
    void host_down(const HostId& host);
    void desktop_gone(const DesktopId& desktop, const std::string& why);
    void forget_host(const HostId& host);

    /// Start-up: a desktop was written down as lost, and the controller died before its session
    /// was told. Draws the consequences then missed.
    void finish_losses();

    /// Connected, and its desktops have been listed.
    [[nodiscard]] bool is_up(const HostId& host) const;
    [[nodiscard]] bool is_connected(const HostId& host) const;
    /// Away for longer than host_lost_after.
    [[nodiscard]] bool is_lost(const HostId& host) const;

    /// Stops every desktop that is to be stopped, on hosts that are up.
    void reap();

  private:
    struct Presence {
        bool connected = false;
        bool listed = false;
        bool lost = false;
        std::uint64_t turn = 0; ///< grows whenever it comes or goes
        std::optional<Clock::TimerId> lost_timer;
    };

    struct Reaping {
        bool busy = false;      ///< a stop is under way, or pauses
        std::uint64_t turn = 0; ///< of the stop under way; 0 = none
        unsigned attempts = 0;
    };

    void list(const HostId& host, std::uint64_t turn, unsigned attempt);
    void listed(const HostId& host, std::uint64_t turn, const std::vector<DesktopInfo>& desktops);
    void check_desk(const DesktopInfo& info);
    void check_screen(const DesktopInfo& info);
    void await_return(const HostId& host);
    void lose(const HostId& host);
    void stop(const store::DesktopRow& desktop);
    void stopped(const DesktopId& desktop);
    /// What becomes of the session that had this desktop, which is gone or out of reach for good.
    void consequences(const store::DesktopRow& desktop, const std::string& why);
    void consequences_for_move(const store::MoveRow& move, const store::DesktopRow& desktop,
                               const std::string& why);

    Core& core_;
    std::map<HostId, Presence> hosts_;
    std::map<DesktopId, Reaping> reaping_;
    std::uint64_t turns_ = 0;
};

} // namespace baton::handoff
