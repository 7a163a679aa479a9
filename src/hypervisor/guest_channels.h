#pragma once

#include "guest/protocol.h"
#include "model/error.h"
#include "model/ids.h"
#include "process/child.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <poll.h>
#include <string>
#include <thread>

/// The host's ends of the guests' virtio-serial ports: unix sockets on which QEMU listens.
namespace baton::hypervisor {

/// One thread reads all of them. A guest costs at most `max_line` plus some `most_undelivered`
/// messages of memory and `bytes_per_second` of reading, whatever it writes: beyond that it waits,
/// in the flow control of its own port. All methods from any thread.
class GuestChannels {
  public:
    static constexpr std::size_t most_undelivered = 64;
    static constexpr std::int64_t bytes_per_second = std::int64_t{256} << 10;
    static constexpr std::size_t most_unsent = std::size_t{256} << 10;

    /// Called from the reading thread, holding nothing; delivered() is owed for every call.
    using Heard = std::function<void(const DesktopId&, guest::FromGuest)>;

    explicit GuestChannels(Heard heard);
    ~GuestChannels();
    GuestChannels(const GuestChannels&) = delete;
    GuestChannels& operator=(const GuestChannels&) = delete;

    /// Connects to the socket, also again whenever it was closed, until close(), and asks the
    /// guest (guest::Ask) each time. A channel that is open already is left as it is.
    void open(const DesktopId& desktop, const std::string& path);
    void close(const DesktopId& desktop);

    /// Errc::unavailable: not connected, or the guest does not read what it is sent.
    Result<void> send(const DesktopId& desktop, const guest::ToGuest& message);

    /// Whether the guest has said anything since its port was last connected to: then it is there,
    /// whatever libvirt, which hears of it by a way of its own, knows by now.
    [[nodiscard]] bool spoke(const DesktopId& desktop) const;

    /// A message has been dealt with.
    void delivered(const DesktopId& desktop);

  private:
    using Clock = std::chrono::steady_clock;

    struct Channel {
        DesktopId desktop;
        std::string path;
        process::Descriptor socket;
        guest::LineSplitter lines;
        bool spoke = false; ///< since it was connected
        std::string unsent;
        std::size_t undelivered = 0;
        std::int64_t budget = bytes_per_second;
        Clock::time_point refilled = Clock::now();
        Clock::time_point retry = Clock::now();
        std::chrono::milliseconds pause{0};
    };

    /// What one turn of run() waits for; the first end is wake_.
    struct Polled {
        std::vector<pollfd> ends;
        std::vector<std::shared_ptr<Channel>> channels;
    };

    void run();
    /// Returns how long to wait at most, in ms; -1: for ever; `over`: no more turns.
    int collect(Polled& polled);
    static constexpr int over = -2;
    std::vector<guest::FromGuest> serve(Channel& channel, const pollfd& end);
    /// Connects and refills; returns when run() has to look again at the latest.
    Clock::time_point prepare(Clock::time_point now);
    void connect(Channel& channel, Clock::time_point now);
    static void disconnect(Channel& channel, Clock::time_point now);
    /// Reads what there is; appends what the guest said.
    static void read(Channel& channel, Clock::time_point now,
                     std::vector<guest::FromGuest>& messages);
    static void flush(Channel& channel, Clock::time_point now);
    static bool may_read(const Channel& channel);
    void wake() const;

    Heard heard_;
    process::Descriptor wake_;
    mutable std::mutex mutex_;
    std::map<DesktopId, std::shared_ptr<Channel>> channels_;
    bool over_ = false;
    std::thread thread_;
};

} // namespace baton::hypervisor
