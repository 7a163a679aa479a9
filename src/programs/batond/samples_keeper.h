#pragma once

#include "api/kept.h"
#include "handoff/engine.h"
#include "history/recorder.h"
#include "programs/batond/loop.h"
#include "store/store.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace baton::controller {

/// Keeps what the hosts' monitors say, with whose session it was, in the samples database: on a
/// thread of its own, and read again on another. A database that fails stops nothing but this, and
/// is told once, as an event and in the log.
class SamplesKeeper : public api::Kept {
  public:
    struct Doors {
        store::Store& store;
        handoff::Engine& engine;
        handoff::Clock& clock; ///< and the executor of both
        std::function<void()> events_grew;
        std::function<void(bool bad, const std::string&)> log;
    };

    struct Settings {
        std::string place; ///< as for history::open()
        history::Retention retention;
        std::size_t most_waiting_bytes = std::size_t{64} << 20;
    };

    SamplesKeeper(Doors doors, Settings settings);
    /// Writes what waits a last time. After the executor has stopped, before the store goes.
    ~SamplesKeeper() override;
    SamplesKeeper(const SamplesKeeper&) = delete;
    SamplesKeeper& operator=(const SamplesKeeper&) = delete;

    /// From here on it is written. On the executor, when the engine has resumed.
    void begin();

    /// Any thread; takes no longer than a copy.
    void heard(const monitor::Reading& reading) { recorder_.offer(reading); }

    /// On the executor: sessions that have just been opened are remembered with their samples.
    void happened(const std::vector<store::EventRow>& events);

    [[nodiscard]] State state() const override;
    bool read(Read read) override;

  private:
    void annotate(const handoff::SessionView& session);
    void annotate_all();
    void tell(history::Recorder::News news, const std::string& sentence);
    void read_now(const Read& read);

    Doors doors_;
    Settings settings_;
    std::string shown_;
    history::Recorder recorder_;
    std::shared_ptr<std::atomic<bool>> alive_; ///< for what is posted to the executor
    std::atomic<int> waiting_reads_ = 0;
    std::atomic<bool> open_anew_ = false;
    std::unique_ptr<history::Samples> reader_; ///< of the reading thread
    Pool reading_{1};
    std::unique_ptr<history::RecorderThread> thread_;
};

} // namespace baton::controller
