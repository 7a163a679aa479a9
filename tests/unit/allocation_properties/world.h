#pragma once

#include "allocation/allocator.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace baton::allocation {

struct Fleet {
    Settings settings;
    std::vector<HostCapacity> hosts;

    [[nodiscard]] Mebibytes smallest() const {
        return settings.largest.halved(settings.levels - 1);
    }
};

/// What stands on one host, kept apart from the allocator: which MiB which desktop has. Starting
/// one where another still is, or past the end, throws.
class Machine {
  public:
    explicit Machine(Mebibytes capacity = {}) : capacity_(capacity) {}

    void start(const std::string& desktop, const Block& block);
    void stop(const std::string& desktop);

    [[nodiscard]] Mebibytes used() const { return used_; }

    [[nodiscard]] Mebibytes capacity() const { return capacity_; }

    [[nodiscard]] bool empty() const { return by_offset_.empty(); }

  private:
    struct Desktop {
        std::string name;
        std::int64_t end;
    };

    Mebibytes capacity_;
    Mebibytes used_;
    std::map<std::int64_t, Desktop> by_offset_;
    std::map<std::string, std::int64_t> offset_of_;
};

/// An allocator and, beside it, the machines that do what its plans say, in the order in which the
/// handoff engine does it: the new desktop starts beside the old one; the newcomer starts when the
/// old one is gone. Every step throws std::logic_error when a promise of the allocator is broken.
class World {
  public:
    World(const Fleet& fleet, std::string_view policy);

    /// True: has a place (it may still wait for it). False: was told no, and nothing changed.
    bool join();
    void leave(std::size_t nth);
    void finish(std::size_t nth_handoff);
    /// Gives up a handoff; the newcomer it was for leaves and joins again.
    void cancel(std::size_t nth_handoff);
    void finish_all();
    /// Begins the next growth that is offered (of the nth session alone, or of anybody).
    bool grow(std::optional<std::size_t> nth);
    /// Begins what is planned to get the nth session off its host.
    bool evacuate(std::size_t nth);
    void set_movable(std::size_t nth, bool movable);
    void set_accepts(std::size_t nth_host, bool accepts);
    /// What the nth session, or who joins next, needs: a size of that level; past the last:
    /// nothing.
    void set_floor(std::size_t nth, unsigned level);
    void set_load(std::size_t nth_host, Load load);
    /// Every host is as loaded as at the beginning.
    void forget_loads();
    /// Loses a host and joins its sessions again, if they fit.
    void lose(std::size_t nth_host);
    void bring_back(std::size_t nth_host);

    /// Compares everything that the allocator says with the machines.
    void check() const;

    [[nodiscard]] const Allocator& allocator() const { return *allocator_; }

    [[nodiscard]] std::size_t sessions() const { return order_.size(); }

    [[nodiscard]] const SessionId& nth(std::size_t n) const { return order_[n % order_.size()]; }

    [[nodiscard]] std::size_t handoffs() const { return handoffs_.size(); }

    [[nodiscard]] bool on_host(std::size_t nth, std::size_t nth_host) const;
    [[nodiscard]] bool host_is_empty(std::size_t nth_host) const;

    /// Handoffs begun since the world was made.
    [[nodiscard]] std::size_t begun() const { return begun_; }

    [[nodiscard]] const std::optional<Error>& last_refusal() const { return last_refusal_; }

    /// By the machines alone: a slot of that size is free on a host that accepts.
    [[nodiscard]] bool slot_is_free() const;
    [[nodiscard]] bool anybody_larger_than_smallest() const;

    [[nodiscard]] bool anybody_unmovable() const { return !unmovable_.empty(); }

    /// How many sessions have each size (the new one during a handoff).
    [[nodiscard]] const std::map<Mebibytes, int>& sizes() const { return sizes_; }

    /// Everything that was planned, for comparing runs.
    [[nodiscard]] const std::string& transcript() const { return transcript_; }

    /// What start-up would find: places, and handoffs under way, without the newcomers that wait.
    struct Found {
        SessionId session;
        Block block;
        std::optional<Block> coming;
    };

    [[nodiscard]] std::vector<Found> found_at_start_up() const;

  private:
    struct Place {
        Block block;                     ///< the old one during a handoff
        std::optional<Block> coming;     ///< the new one
        std::optional<SessionId> waits;  ///< for that session's handoff: nothing runs yet
        std::optional<SessionId> waiter; ///< who waits for this one's handoff
    };

    struct HostState {
        Machine machine;
        bool there = true;
        bool accepts = true;
    };

    Machine& machine(const HostId& host);
    void place(const SessionId& session, const Block& block);
    void start_coming(const SessionId& session, const Block& from, const Block& to);
    void old_is_gone(const SessionId& session, bool stop_old);
    void forget(const SessionId& session);
    void end_handoff(const SessionId& session);
    void begin(const Handoff& handoff, bool growth);
    void note(const std::string& line);

    Fleet fleet_;
    std::unique_ptr<Allocator> allocator_;
    std::map<HostId, HostState> hosts_;
    std::map<SessionId, Place> places_;
    std::vector<SessionId> order_;    ///< by joining
    std::vector<SessionId> handoffs_; ///< under way, by beginning
    std::map<SessionId, bool> unmovable_;
    std::map<Mebibytes, int> sizes_;
    std::optional<Error> last_refusal_;
    std::size_t next_ = 0;
    std::size_t begun_ = 0;
    std::size_t plans_ = 0;
    std::string transcript_;
};

} // namespace baton::allocation
