#include "sampling/loop.h"

#include "monitor/prometheus.h"

#include <algorithm>

namespace baton::sampling {

SamplingLoop::SamplingLoop(CollectorSettings settings, Sink sink) : sink_(std::move(sink)) {
    thread_ = std::thread([this, settings = std::move(settings)] { run(settings); });
}

SamplingLoop::~SamplingLoop() {
    {
        const std::scoped_lock lock(mutex_);
        over_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void SamplingLoop::run(CollectorSettings settings) {
    const auto period = settings.fast_period;
    Collector collector(std::move(settings));
    auto next = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    while (!over_) {
        lock.unlock();
        sink_(collector.collect(), collector);
        // a machine that was asleep, or too busy, does not catch up: those readings are missing
        next = std::max(next + period, std::chrono::steady_clock::now());
        lock.lock();
        changed_.wait_until(lock, next, [this] { return over_; });
    }
}

void Questions::ask(Answer answer) {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(std::move(answer));
}

void Questions::answer_all(const monitor::Reading& reading, const Collector& collector) {
    std::vector<Answer> waiting;
    {
        const std::scoped_lock lock(mutex_);
        waiting.swap(waiting_);
    }
    for (const Answer& answer : waiting)
        answer(reading, collector);
}

std::string metrics_page(const HostId& host, const Collector& collector) {
    const auto desktops = collector.desktops();
    std::vector<monitor::DesktopCounters> counters;
    counters.reserve(desktops.size());
    for (const Collector::Desktop& one : desktops)
        counters.push_back({&one.who, &one.sample});
    monitor::Exposition page;
    monitor::expose_counters(page, host, collector.host(), counters);
    return std::move(page).text();
}

} // namespace baton::sampling
