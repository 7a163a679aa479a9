/// What a join or a leave costs at 10,000 hosts, over what it costs at 100: with indices over hosts
/// and sessions the ratio stays under 2. See bench/README.md for the records that it prints.
#include "allocation/allocator.h"
#include "process/large_pages.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace baton;
using allocation::Allocator;

constexpr unsigned levels = 6;
constexpr int rounds = 9;
constexpr std::size_t few_hosts = 100;
constexpr std::size_t many_hosts = 10'000;

/// One line of a trace. All traces are made beforehand and read from end to end, so that what is
/// timed is the allocator; the id is as the engine makes them, "s-" and twelve characters.
struct Event {
    SessionId session;
    bool join;
};

/// Nanoseconds of this thread on a processor: what others do on the machine counts less.
double processor_time() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

struct Tally {
    double nanoseconds = 0;
    std::size_t calls = 0;
    std::size_t handoffs = 0;
};

/// One allocator: filled to 60 % by joins, then to 95 % and back to 60 % while others come and go.
class Bench {
  public:
    explicit Bench(std::size_t hosts) : random_(hosts) {
        std::vector<allocation::HostCapacity> all;
        for (std::size_t i = 0; i < hosts; ++i)
            all.push_back({HostId(fmt::format("host{}", i)), 32_GiB, true});
        const allocation::Settings settings{
            .largest = 32_GiB, .levels = levels, .memory = &process::large_pages()}; // as batond
        auto made = allocation::make_allocator("paper", settings, all);
        check(made.has_value());
        desks_ = std::move(*made);
        slots_ = desks_->capacity();
        while (present_.size() < slots_ * 60 / 100)
            play(join());
        while (filling_ || present_.size() > slots_ * 60 / 100)
            trace_.push_back(next());
        handoffs_ = 0;
    }

    /// Times the calls, the handoff that a join costs included.
    void run(Tally& tally) {
        const double begin = processor_time();
        for (const Event& event : trace_)
            play(event);
        tally.nanoseconds += processor_time() - begin;
        tally.calls += trace_.size();
        tally.handoffs += handoffs_;
    }

  private:
    Event next() {
        if (present_.size() >= slots_ * 95 / 100)
            filling_ = false;
        return random_() % 100 < (filling_ ? 70 : 30) ? join() : leave();
    }

    Event join() {
        present_.push_back(++number_);
        return {id(number_), true};
    }

    Event leave() {
        std::swap(present_[random_() % present_.size()], present_.back());
        const Event event{id(present_.back()), false};
        present_.pop_back();
        return event;
    }

    static SessionId id(std::uint64_t number) {
        return SessionId(fmt::format("s-{:012x}", number));
    }

    void play(const Event& event) {
        if (!event.join) {
            check(desks_->leave(event.session).has_value());
            return;
        }
        const auto plan = desks_->join(event.session);
        check(plan.has_value());
        if (plan->handoff) {
            check(desks_->finish_handoff(plan->handoff->session).has_value());
            ++handoffs_;
        }
    }

    static void check(bool ok) {
        if (ok)
            return;
        fmt::print(stderr, "bench: the allocator refused what has to fit\n");
        std::exit(1);
    }

    std::mt19937_64 random_;
    std::unique_ptr<Allocator> desks_;
    std::size_t slots_ = 0;
    std::vector<Event> trace_;
    std::vector<std::uint64_t> present_; ///< the numbers of who is there
    std::uint64_t number_ = 0;
    bool filling_ = true;
    std::size_t handoffs_ = 0;
};

/// As many calls at any number of hosts: one large system, or many small ones.
Tally round(std::size_t hosts) {
    Tally tally;
    for (std::size_t i = 0; i < many_hosts / hosts; ++i)
        Bench(hosts).run(tally);
    return tally;
}

boost::json::array numbers(const std::vector<double>& values) {
    return boost::json::array(values.begin(), values.end());
}

void print(const boost::json::object& record) {
    fmt::print("{}\n", boost::json::serialize(record));
}

double percent(std::size_t part, std::size_t all) {
    return 100.0 * static_cast<double>(part) / static_cast<double>(all);
}

} // namespace

int main() {
    std::vector<double> few_ns;
    std::vector<double> many_ns;
    std::vector<double> many_rate;
    Tally few;
    Tally many;
    for (int i = 0; i < rounds; ++i) {
        few = round(few_hosts);
        many = round(many_hosts);
        few_ns.push_back(few.nanoseconds / static_cast<double>(few.calls));
        many_ns.push_back(many.nanoseconds / static_cast<double>(many.calls));
        many_rate.push_back(1e9 / many_ns.back());
    }
    const std::string how = fmt::format(
        "policy paper, M = {}; joins, and leaves in random order, from 60 % of all places to 95 % "
        "and "
        "back, none refused; one thread, its processor time; per round {} calls at {} hosts "
        "({:.1f} % "
        "with a handoff, its finish included) and {} calls in {} systems of {} hosts ({:.1f} %)",
        levels, many.calls, many_hosts, percent(many.handoffs, many.calls), few.calls,
        many_hosts / few_hosts, few_hosts, percent(few.handoffs, few.calls));
    print({{"name", "allocation_cost_growth"},
           {"ours", numbers(many_ns)},
           {"peer", numbers(few_ns)},
           {"peer_name", "the same at 100 hosts"},
           {"unit", "ns per join or leave at 10,000 hosts"},
           {"better", "lower"},
           {"limit", 2},
           {"how", how}});
    print({{"name", "allocation_rate"},
           {"ours", numbers(many_rate)},
           {"peer", 1e6},
           {"peer_name", "the target"},
           {"unit", "joins and leaves a second at 10,000 hosts"},
           {"better", "higher"},
           {"limit", 1},
           {"how", how}});
}
