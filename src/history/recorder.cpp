#include "history/recorder.h"

#include <fmt/format.h>

#include <algorithm>

namespace baton::history {
namespace {

/// Samples in one commit while catching up.
constexpr std::size_t most_in_a_commit = 20'000;
/// Of a waiting reading, beside its rows.
constexpr std::size_t overhead_bytes = 128;

/// Who, without what was measured.
monitor::Reading identities_of(const monitor::Reading& reading) {
    monitor::Reading who;
    who.host = reading.host;
    who.address = reading.address;
    who.desktops.reserve(reading.desktops.size());
    for (const monitor::DesktopReading& desktop : reading.desktops)
        who.desktops.push_back({desktop.who, {}, {}});
    return who;
}

bool same_people(const monitor::Reading& a, const monitor::Reading& b) {
    return a.address == b.address &&
           std::equal(a.desktops.begin(), a.desktops.end(), b.desktops.begin(), b.desktops.end(),
                      [](const auto& x, const auto& y) { return x.who == y.who; });
}

monitor::Reading at_time(monitor::Reading who, Seconds at) {
    who.wall = WallTime(std::chrono::seconds(at));
    for (monitor::DesktopReading& desktop : who.desktops)
        desktop.wall = who.wall;
    return who;
}

} // namespace

Result<std::vector<Sample>> samples_of(Samples& samples, const monitor::Reading& reading) {
    const auto ids = samples.enrol(reading);
    if (!ids)
        return tl::unexpected(ids.error());
    const Seconds at = seconds_of(reading.wall);
    std::vector<Sample> batch;
    batch.reserve(ids->size());
    batch.push_back({ids->front(), at, row_of(reading.rates)});
    for (std::size_t i = 0; i < reading.desktops.size(); ++i)
        batch.push_back({(*ids)[i + 1], at, row_of(reading.desktops[i].rates)});
    return batch;
}

Recorder::Recorder(Open open, Tell tell, Limits limits)
    : open_(std::move(open)),
      tell_(std::move(tell)),
      limits_(limits),
      retry_after_(limits.first_retry) {}

void Recorder::offer(const monitor::Reading& reading) {
    Waiting waiting;
    waiting.at = seconds_of(reading.wall);
    if (waiting.at <= 0)
        return; // a machine that does not know the year
    waiting.rows.reserve(reading.desktops.size() + 1);
    waiting.rows.push_back(pack_row(row_of(reading.rates)));
    for (const monitor::DesktopReading& desktop : reading.desktops)
        waiting.rows.push_back(pack_row(row_of(desktop.rates)));
    waiting.bytes = overhead_bytes;
    for (const std::string& row : waiting.rows)
        waiting.bytes += sizeof(std::string) + row.capacity();

    const std::lock_guard lock(mutex_);
    auto& last = last_who_[reading.host.value];
    if (!last || !same_people(*last, reading))
        last = std::make_shared<const monitor::Reading>(identities_of(reading));
    waiting.who = last;
    figures_.waiting_samples += waiting.rows.size();
    figures_.waiting_bytes += waiting.bytes;
    waiting_.push_back(std::move(waiting));
    shed();
}

void Recorder::annotate(const Person& person) {
    const std::lock_guard lock(mutex_);
    if (people_.size() < limits_.most_people || people_.contains(person.session))
        people_[person.session] = person;
}

void Recorder::shed() {
    while (figures_.waiting_bytes > limits_.most_bytes && !waiting_.empty()) {
        const Waiting& oldest = waiting_.front();
        figures_.waiting_samples -= oldest.rows.size();
        figures_.waiting_bytes -= oldest.bytes;
        figures_.lost += oldest.rows.size();
        waiting_.pop_front();
    }
}

void Recorder::work(Seconds now) {
    if (now < next_try_ && now > next_try_ - 2 * limits_.longest_retry)
        return; // the second half: a clock that was set back does not stop history for hours
    if (!samples_) {
        auto opened = open_();
        if (!opened)
            return failed(opened.error(), now);
        samples_ = std::move(*opened);
    }
    if (const auto caught_up = catch_up(); !caught_up)
        return failed(caught_up.error(), now);
    const auto tended = samples_->tend(now, limits_.minutes_at_once);
    if (!tended)
        return failed(tended.error(), now);
    if (const auto measured = measure(now, tended->shortened); !measured)
        return failed(measured.error(), now);
    recovered();
    if (tended->shortened && !shortened_told_)
        tell_(News::shortened,
              "the samples database is as large as it may be: samples of each second are kept for "
              "a shorter time than was asked for; minutes and hours are not affected");
    shortened_told_ = tended->shortened;
}

Result<void> Recorder::catch_up() {
    BATON_TRY(write_people());
    while (true) {
        std::deque<Waiting> batch;
        {
            const std::lock_guard lock(mutex_);
            std::size_t count = 0;
            while (!waiting_.empty() && count < most_in_a_commit) {
                count += waiting_.front().rows.size();
                figures_.waiting_samples -= waiting_.front().rows.size();
                figures_.waiting_bytes -= waiting_.front().bytes;
                batch.push_back(std::move(waiting_.front()));
                waiting_.pop_front();
            }
        }
        if (batch.empty())
            return {};
        if (auto written = write(batch); !written) {
            put_back(batch);
            return written;
        }
    }
}

Result<void> Recorder::write_people() {
    std::map<std::string, Person> people;
    {
        const std::lock_guard lock(mutex_);
        people.swap(people_);
    }
    while (!people.empty()) {
        if (auto written = samples_->annotate(people.begin()->second); !written) {
            const std::lock_guard lock(mutex_);
            people_.merge(people); // what came meanwhile is newer and stays
            return written;
        }
        people.erase(people.begin());
    }
    return {};
}

Result<void> Recorder::measure(Seconds now, bool shortened) {
    const bool due = now >= next_size_ || now < next_size_ - 2 * limits_.between_sizes;
    const auto size = due ? samples_->size() : Result<Size>();
    if (due)
        next_size_ = now + limits_.between_sizes;
    if (!size && size.error().code == Errc::corrupt) // damaged, or put aside: a new one
        return tl::unexpected(size.error());
    const std::lock_guard lock(mutex_);
    figures_.shortened = shortened;
    if (due && size) { // not to know it for a minute stops nothing
        figures_.size = *size;
        figures_.sized = true;
    }
    return {};
}

Result<void> Recorder::write(std::deque<Waiting>& batch) {
    std::vector<Sample> samples;
    for (const Waiting& waiting : batch) {
        const auto ids = samples_->enrol(at_time(*waiting.who, waiting.at));
        if (!ids)
            return tl::unexpected(ids.error());
        for (std::size_t i = 0; i < waiting.rows.size(); ++i)
            if (const auto row = unpack_row(waiting.rows[i]))
                samples.push_back({(*ids)[i], waiting.at, *row});
    }
    BATON_TRY(samples_->append(samples));
    const std::lock_guard lock(mutex_);
    figures_.written += samples.size();
    return {};
}

void Recorder::put_back(std::deque<Waiting>& batch) {
    const std::lock_guard lock(mutex_);
    while (!batch.empty()) {
        figures_.waiting_samples += batch.back().rows.size();
        figures_.waiting_bytes += batch.back().bytes;
        waiting_.push_front(std::move(batch.back()));
        batch.pop_back();
    }
    shed();
}

void Recorder::failed(const Error& error, Seconds now) {
    // full or away: the same database later; anything else: opened anew
    if (error.code != Errc::full && error.code != Errc::unavailable)
        samples_.reset();
    next_try_ = now + retry_after_;
    retry_after_ = std::min(retry_after_ * 2, limits_.longest_retry);
    {
        const std::lock_guard lock(mutex_);
        figures_.why = error.message();
        if (figures_.failing)
            return;
        figures_.failing = true;
        figures_.since = now;
        lost_before_ = figures_.lost;
        written_before_ = figures_.written;
    }
    tell_(News::stopped,
          fmt::format("HISTORY HAS STOPPED, nothing else has: {}. New samples wait in memory (at "
                      "most {} MiB) until the database takes them",
                      error.message(), limits_.most_bytes >> 20));
}

void Recorder::recovered() {
    next_try_ = 0;
    retry_after_ = limits_.first_retry;
    Figures now;
    {
        const std::lock_guard lock(mutex_);
        if (!figures_.failing)
            return;
        figures_.failing = false;
        figures_.why.clear();
        figures_.since = 0;
        now = figures_;
    }
    tell_(News::resumed, fmt::format("history goes on: {} samples were caught up, {} were lost",
                                     now.written - written_before_, now.lost - lost_before_));
}

Recorder::Figures Recorder::figures() const {
    const std::lock_guard lock(mutex_);
    return figures_;
}

RecorderThread::RecorderThread(Recorder& recorder)
    : thread_([this, &recorder] {
          const auto work = [&recorder] {
              recorder.work(seconds_of(
                  std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now())));
          };
          std::unique_lock lock(mutex_);
          while (!wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; })) {
              lock.unlock();
              work();
              lock.lock();
          }
          work();
      }) {}

RecorderThread::~RecorderThread() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

} // namespace baton::history
