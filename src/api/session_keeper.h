#pragma once

#include "api/context.h"

#include <chrono>
#include <map>
#include <string>

namespace baton::api {

/// Ends sessions that nobody uses. After a power cut, or when a viewer is gone for any other
/// reason, a session is kept for as long as Settings::kept_without_viewer says and is picked up
/// from anywhere; one that was started beforehand, or a guest's, for Settings::kept_unused.
///
/// Who looks on is known of sessions behind gateways alone: those of the route nat, and all while
/// no gateway is connected, are left as they are. Counted in memory: a controller that is started
/// again counts anew.
///
/// Thread rules: the executor.
class SessionKeeper {
  public:
    explicit SessionKeeper(Context& context);
    SessionKeeper(const SessionKeeper&) = delete;
    SessionKeeper& operator=(const SessionKeeper&) = delete;

    /// Reads what was started beforehand, and looks from then on.
    Result<void> begin();

    /// The session was opened for the PC with that MAC address, and nobody has come yet.
    Result<void> started_beforehand(const SessionId& session, const std::string& mac);
    /// Somebody has shown that they are its person. (Also Context::person_came.)
    void person_came(const SessionId& session);

    static constexpr std::chrono::seconds look_every{5};

  private:
    using Time = std::chrono::nanoseconds;

    struct Kept {
        std::chrono::seconds life{}; ///< 0: for ever
        std::string words;           ///< for the event, before "for 15 min"
    };

    void look();
    [[nodiscard]] Kept kept(const handoff::SessionView& view, bool seen_at_all) const;
    void end(const handoff::SessionView& view, const Kept& kept);
    Result<void> write(const std::string& mac, const SessionId& session);

    Context& context_;
    std::map<SessionId, std::string> beforehand_; ///< and the PC that it is for
    std::map<SessionId, Time> unused_since_;
};

} // namespace baton::api
