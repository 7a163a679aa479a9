#pragma once

#include "handoff/engine.h"
#include "handoff/ports.h"
#include "handoff/state.h"

#include <boost/json/object.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// The inside of the engine. Five parts share one Core:
///   Planner     who gets how much, where, and which handoffs that costs (handoff/planner.h)
///   Mover       carries one move through its phases (handoff/mover.h)
///   Outcomes    how a move ends when it does not end well (handoff/outcomes.h)
///   Reconciler  hosts that come and go, desktops that are lost or have to stop (reconciler.h)
///   Doors       what people ask for: open, close, grow, and who waits for an answer (doors.h)
/// One rule holds everywhere: what is going to be done is committed first (Core::persist), then
/// done, and what is done can be repeated.
namespace baton::handoff {

class Planner;
class Mover;
class Reconciler;
class Doors;
class Outcomes;

using Built = Result<std::optional<store::Change>>;

/// A viewer reconnects after a handoff, and a person after a pause: a screen's password has to
/// last.
inline constexpr std::chrono::minutes password_must_last{10};

class Core {
  public:
    Core(store::Store& store_in, Fleet& fleet_in, DeskServer& desks_in, Path& path_in,
         Clock& clock_in, EngineSettings settings_in);
    Core(const Core&) = delete;
    Core& operator=(const Core&) = delete;
    ~Core();

    store::Store& store;
    Fleet& fleet;
    DeskServer& desks;
    Path& path;
    Clock& clock;
    const EngineSettings settings;
    State state;
    std::unique_ptr<Planner> planner;
    std::unique_ptr<Mover> mover;
    std::unique_ptr<Outcomes> outcomes;
    std::unique_ptr<Reconciler> reconciler;
    std::unique_ptr<Doors> doors;
    std::function<void(const std::vector<store::EventRow>&)> sink;

    /// Commits what `build` makes, now or, while the store fails, again and again with back-off;
    /// then calls `then`. An empty Built gives it up, an error (the store cannot be read) does not.
    /// `build` looks at the state anew at each attempt.
    void persist(std::function<Built()> build, std::function<void()> then);

    /// A port's callback that does nothing once the engine is gone.
    template <class T>
    [[nodiscard]] Done<T> guarded(std::type_identity_t<Done<T>> action) const {
        return [alive = std::weak_ptr<int>(alive_), action = std::move(action)](Result<T> result) {
            if (!alive.expired())
                action(std::move(result));
        };
    }

    Clock::TimerId later(std::chrono::nanoseconds delay, std::function<void()> action);
    void post(std::function<void()> action);

    /// Adds one line to what `baton events` shows. `text` is one sentence for a person.
    void tell(store::Change& change, std::string_view kind, std::string subject, std::string text,
              const boost::json::object& data = {}) const;

    /// 1/4 s, doubled at each attempt, at most 8 s.
    [[nodiscard]] static std::chrono::milliseconds backoff(unsigned attempt);
    /// Prefix and 12 of [0-9a-z].
    [[nodiscard]] std::string new_id(std::string_view prefix) const;
    /// 8 characters that cannot be mistaken for one another.
    [[nodiscard]] std::string new_password() const;
    /// 128 random bits as 32 hexadecimal digits.
    [[nodiscard]] std::string new_ticket() const;

  private:
    [[nodiscard]] std::function<void()> while_alive(std::function<void()> action) const;
    void try_persist(std::function<Built()> build, std::function<void()> then, unsigned attempt);

    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

/// Why a move is made; MoveRow::reason begins with one of these.
namespace reason {
inline constexpr std::string_view join = "join of ";                 ///< somebody needs the memory
inline constexpr std::string_view grow = "grow";                     ///< the person asked
inline constexpr std::string_view grow_back = "more memory is free"; ///< growing when others leave
inline constexpr std::string_view drain = "drain ";                  ///< the host is emptied
inline constexpr std::string_view open = "open";
inline constexpr std::string_view replace = "replace: "; ///< the desktop was lost
inline constexpr std::string_view close = "close";
} // namespace reason

/// The person has not asked for this handoff and may say "not now".
inline bool may_be_deferred(const store::MoveRow& move) {
    return move.kind == store::MoveKind::handoff && move.reason != reason::grow;
}

inline bool is_before_lease(store::MovePhase phase) {
    return phase == store::MovePhase::planned || phase == store::MovePhase::preparing ||
           phase == store::MovePhase::announcing || phase == store::MovePhase::releasing;
}

} // namespace baton::handoff
