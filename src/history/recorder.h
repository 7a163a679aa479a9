#pragma once

#include "history/recorder_figures.h"
#include "history/samples.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

namespace baton::history {

/// The samples of a reading: the host's, then its desktops'. Enrols who is new.
Result<std::vector<Sample>> samples_of(Samples& samples, const monitor::Reading& reading);

/// Between those who measure and the database: never in their way, also when the database is slow,
/// full or gone. What cannot be written waits in memory, the oldest is lost first, and both the
/// beginning and the end of such a time are told once.
class Recorder {
  public:
    enum class News : std::uint8_t {
        stopped,   ///< nothing is written from here on
        resumed,   ///< and what waited has been written
        shortened, ///< Retention::most_bytes is reached: single seconds go earlier
    };
    using Open = std::function<Result<std::unique_ptr<Samples>>()>;
    /// On the thread of work().
    using Tell = std::function<void(News news, const std::string& sentence)>;

    struct Limits {
        std::size_t most_bytes = std::size_t{64} << 20; ///< of what waits
        Seconds first_retry = 1, longest_retry = 30;
        int minutes_at_once = 5;          ///< that work() packs in one call
        std::size_t most_people = 20'000; ///< that wait; more are not known to history
        Seconds between_sizes = 60;       ///< the size of the database is asked for so often
    };

    using Figures = RecorderFigures;

    Recorder(Open open, Tell tell, Limits limits);

    Recorder(Open open, Tell tell) : Recorder(std::move(open), std::move(tell), Limits{}) {}

    /// Any thread; takes no longer than a copy.
    void offer(const monitor::Reading& reading);
    /// Any thread. Who has a session; written with the next samples, and again after a failure.
    void annotate(const Person& person);
    /// Writes what waits and does what is due. By one thread, once a second: nothing that was
    /// offered waits longer than that unless the database fails.
    void work(Seconds now);
    [[nodiscard]] Figures figures() const;

  private:
    /// A reading, small: its rows packed, who they are of shared with the readings before.
    struct Waiting {
        std::shared_ptr<const monitor::Reading> who;
        Seconds at = 0;
        std::vector<std::string> rows;
        std::size_t bytes = 0;
    };

    Result<void> catch_up();
    Result<void> write_people();
    Result<void> write(std::deque<Waiting>& batch);
    Result<void> measure(Seconds now, bool shortened);
    void put_back(std::deque<Waiting>& batch);
    void shed();
    void failed(const Error& error, Seconds now);
    void recovered();

    Open open_;
    Tell tell_;
    Limits limits_;
    std::unique_ptr<Samples> samples_; ///< of work()'s thread, as are the next four
    Seconds retry_after_ = 0, next_try_ = 0, next_size_ = 0;
    bool shortened_told_ = false;

    mutable std::mutex mutex_;
    std::deque<Waiting> waiting_;
    std::map<std::string, Person> people_; ///< that wait, by session
    std::map<std::string, std::shared_ptr<const monitor::Reading>> last_who_;
    Figures figures_;
    std::uint64_t lost_before_ = 0, written_before_ = 0;
};

/// Calls work() every second, and a last time at the end.
class RecorderThread {
  public:
    explicit RecorderThread(Recorder& recorder);
    ~RecorderThread();
    RecorderThread(const RecorderThread&) = delete;
    RecorderThread& operator=(const RecorderThread&) = delete;

  private:
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::thread thread_;
};

} // namespace baton::history
