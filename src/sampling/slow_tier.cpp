#include "sampling/slow_tier.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace baton::sampling {

namespace {

using SteadyClock = std::chrono::steady_clock;

/// Spreads domains evenly over the period, however many there are: the fractional parts of
/// multiples of the golden ratio.
std::chrono::milliseconds place_in(std::chrono::milliseconds period, std::uint64_t number) {
    const auto fraction = static_cast<std::uint32_t>(number * 2'654'435'769U);
    return std::chrono::milliseconds(
        static_cast<std::int64_t>(static_cast<double>(period.count()) * fraction / 4294967296.0));
}

} // namespace

struct SlowTier::State : std::enable_shared_from_this<State> {
    struct Entry {
        DomainPtr domain;
        std::uint64_t number = 0; ///< never used twice
        unsigned times = 0;       ///< it was asked
        bool asked = false;       ///< a call is under way
        SteadyClock::time_point next, since;
    };

    State(SlowTierSettings wanted, std::shared_ptr<Mailbox> to, const Clock& given)
        : settings(wanted), mailbox(std::move(to)), clock(given) {}

    /// A reader's life: asks what is due until it is over, or there are enough without it.
    void run();
    void ask(const std::string& uuid, const DomainPtr& domain, bool disks) const;
    /// The one to be asked next; end(): none at all.
    std::map<std::string, Entry>::iterator earliest();
    [[nodiscard]] std::size_t overdue(SteadyClock::time_point now) const;
    /// With the lock held: there is always a reader that is not stuck, if there may be.
    void keep_one_free(SteadyClock::time_point now);

    const SlowTierSettings settings;
    const std::shared_ptr<Mailbox> mailbox;
    const Clock& clock;
    mutable std::mutex mutex;
    std::condition_variable changed;
    std::map<std::string, Entry> domains;
    std::uint64_t last_number = 0;
    std::size_t threads = 0;
    std::size_t busy = 0;
    bool over = false;
};

std::map<std::string, SlowTier::State::Entry>::iterator SlowTier::State::earliest() {
    auto best = domains.end();
    for (auto one = domains.begin(); one != domains.end(); ++one)
        if (!one->second.asked && (best == domains.end() || one->second.next < best->second.next))
            best = one;
    return best;
}

std::size_t SlowTier::State::overdue(SteadyClock::time_point now) const {
    return static_cast<std::size_t>(std::ranges::count_if(domains, [&](const auto& one) {
        return one.second.asked && now - one.second.since > settings.deadline;
    }));
}

void SlowTier::State::keep_one_free(SteadyClock::time_point now) {
    if (threads >= settings.most_threads || (threads > 0 && busy < threads))
        return;
    if (threads > 0 && overdue(now) < threads)
        return;
    ++threads;
    std::thread([self = shared_from_this()] { self->run(); }).detach();
}

void SlowTier::State::run() {
    std::unique_lock lock(mutex);
    while (!over) {
        const auto next = earliest();
        const auto now = SteadyClock::now();
        keep_one_free(now);
        // more than one is free again: what was stuck has come back
        if (threads - busy > 1 && overdue(now) == 0)
            break;
        if (next == domains.end() || next->second.next > now) {
            const auto until =
                next == domains.end() ? now + std::chrono::seconds(1) : next->second.next;
            changed.wait_until(lock, std::min(until, now + std::chrono::seconds(1)));
            continue;
        }
        Entry& entry = next->second;
        const bool disks = entry.times % settings.disks_every == 0;
        // its first time is now, its second at its own place in the period
        entry.next =
            now + (entry.times == 0 ? place_in(settings.period, entry.number) : settings.period);
        ++entry.times;
        entry.asked = true;
        entry.since = now;
        const auto number = entry.number;
        const std::string uuid = next->first;
        const DomainPtr domain = entry.domain;
        ++busy;
        lock.unlock();
        ask(uuid, domain, disks);
        lock.lock();
        --busy;
        if (const auto same = domains.find(uuid);
            same != domains.end() && same->second.number == number)
            same->second.asked = false;
    }
    --threads;
}

void SlowTier::State::ask(const std::string& uuid, const DomainPtr& domain, bool disks) const {
    std::array<virDomainPtr, 2> list{domain.get(), nullptr};
    virDomainStatsRecordPtr* records = nullptr;
    unsigned what = VIR_DOMAIN_STATS_BALLOON;
    if (disks)
        what |= VIR_DOMAIN_STATS_BLOCK;
    const monitor::Moment at = clock.now();
    // not waiting for a job that somebody else has in that domain: there is a gap then
    const int count = virDomainListGetStats(list.data(), what, &records,
                                            VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    if (count < 0)
        return; // it has ended, or libvirtd has: both are told elsewhere
    if (count > 0)
        mailbox->put(Told{uuid, domain_stats(records[0]->params, records[0]->nparams, at)});
    virDomainStatsRecordListFree(records);
}

SlowTier::SlowTier(SlowTierSettings settings, std::shared_ptr<Mailbox> mailbox, const Clock& clock)
    : state_(std::make_shared<State>(settings, std::move(mailbox), clock)) {}

SlowTier::~SlowTier() {
    const std::scoped_lock lock(state_->mutex);
    state_->over = true;
    state_->domains.clear();
    state_->changed.notify_all();
}

void SlowTier::add(const std::string& uuid, DomainPtr domain) {
    const std::scoped_lock lock(state_->mutex);
    const auto [place, is_new] = state_->domains.try_emplace(uuid);
    State::Entry& entry = place->second;
    entry.domain = std::move(domain);
    if (!is_new)
        return;
    entry.number = ++state_->last_number;
    entry.next = SteadyClock::now();
    state_->keep_one_free(entry.next);
    state_->changed.notify_one();
}

void SlowTier::remove(const std::string& uuid) {
    const std::scoped_lock lock(state_->mutex);
    state_->domains.erase(uuid);
}

std::size_t SlowTier::stuck() const {
    const std::scoped_lock lock(state_->mutex);
    const auto now = SteadyClock::now();
    state_->keep_one_free(now);
    return state_->overdue(now);
}

} // namespace baton::sampling
