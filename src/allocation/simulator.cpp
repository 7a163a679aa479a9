#include "allocation/simulator.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace baton::allocation {

namespace {

double ratio(std::size_t a, std::size_t b) {
    return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b);
}

/// How many sessions have which size: enough for every figure, at O(levels) per event.
class Sizes {
  public:
    void add(Mebibytes size) { ++count_[size]; }

    void remove(Mebibytes size) {
        if (--count_[size] == 0)
            count_.erase(size);
    }

    void measure(Mebibytes all, Outcome& sums) const {
        double n = 0;
        double sum = 0;
        double squares = 0;
        for (const auto& [size, count] : count_) {
            const auto mib = static_cast<double>(size.count);
            n += count;
            sum += count * mib;
            squares += count * mib * mib;
        }
        const auto least = static_cast<double>(count_.begin()->first.count);
        const auto most = static_cast<double>(count_.rbegin()->first.count);
        sums.mean_utilisation += sum / static_cast<double>(all.count);
        sums.mean_jain += sum * sum / (n * squares);
        sums.worst_max_over_min = std::max(sums.worst_max_over_min, most / least);
        sums.mean_smallest_mib += least;
    }

  private:
    std::map<Mebibytes, int> count_;
};

class Simulation {
  public:
    Simulation(Allocator& allocator, const SimulationSettings& settings)
        : allocator_(allocator), settings_(settings), all_(allocator.free_total()) {}

    Result<Outcome> play(std::span<const TraceEvent> trace) {
        for (std::size_t i = 0; i < trace.size(); ++i) {
            const bool counted = i >= settings_.warm_up;
            if (const auto& change = trace[i].load) {
                BATON_TRY(allocator_.set_load(change->host, change->load));
                continue;
            }
            BATON_TRY(trace[i].join ? join(trace[i].session, counted)
                                    : leave(trace[i].session, counted));
            if (counted && !size_of_.empty()) {
                sizes_.measure(all_, sums_);
                ++measured_;
            }
        }
        if (measured_ > 0) {
            sums_.mean_utilisation /= measured_;
            sums_.mean_jain /= measured_;
            sums_.mean_smallest_mib /= measured_;
        }
        return sums_;
    }

  private:
    Result<void> join(const SessionId& session, bool counted) {
        const auto plan = allocator_.join(session);
        if (!plan && plan.error().code == Errc::refused) {
            sums_.refused += counted ? 1 : 0;
            return {};
        }
        if (!plan)
            return tl::unexpected(plan.error());
        if (plan->handoff) {
            BATON_TRY(allocator_.finish_handoff(plan->handoff->session));
            resize(plan->handoff->session, plan->handoff->to.size);
        }
        resize(session, plan->block.size);
        if (counted) {
            ++sums_.joins;
            sums_.handoffs_at_joins += plan->handoff ? 1 : 0;
        }
        return {};
    }

    Result<void> leave(const SessionId& session, bool counted) {
        const auto found = size_of_.find(session);
        if (found == size_of_.end())
            return {}; // had been refused
        BATON_TRY(allocator_.leave(session));
        sizes_.remove(found->second);
        size_of_.erase(found);
        sums_.leaves += counted ? 1 : 0;
        while (settings_.grow) {
            const auto plan = allocator_.plan_grow(std::nullopt);
            if (!plan)
                break;
            BATON_TRY(allocator_.begin_handoff(*plan));
            BATON_TRY(allocator_.finish_handoff(plan->session));
            resize(plan->session, plan->to.size);
            sums_.handoffs_at_leaves += counted ? 1 : 0;
        }
        return {};
    }

    void resize(const SessionId& session, Mebibytes size) {
        const auto [entry, is_new] = size_of_.try_emplace(session, size);
        if (!is_new)
            sizes_.remove(std::exchange(entry->second, size));
        sizes_.add(size);
    }

    Allocator& allocator_;
    const SimulationSettings& settings_;
    Mebibytes all_;
    Sizes sizes_;
    std::unordered_map<SessionId, Mebibytes> size_of_;
    Outcome sums_;
    double measured_ = 0;
};

} // namespace

double Outcome::handoffs_per_join() const {
    return ratio(handoffs_at_joins, joins);
}

double Outcome::handoffs_per_leave() const {
    return ratio(handoffs_at_leaves, leaves);
}

Result<Outcome> simulate(Allocator& allocator, std::span<const TraceEvent> trace,
                         const SimulationSettings& settings) {
    return Simulation(allocator, settings).play(trace);
}

} // namespace baton::allocation
