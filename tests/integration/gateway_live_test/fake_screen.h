#pragma once

#include "process/child.h"
#include "rfb/client_reader.h"
#include "rfb/server_reader.h"

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace baton::gateway {

inline constexpr std::uint32_t red = 0xC01020;
inline constexpr std::uint32_t green = 0x10C020;
inline constexpr std::uint32_t blue = 0x2010C0;

/// A screen of one colour on a unix socket that can be told to behave badly, and remembers what it
/// hears. Threads of its own; everything is closed with it.
class FakeScreen {
  public:
    enum class Manner : std::uint8_t {
        serves,
        says_nothing,      ///< takes connections, and that is all
        ends_after_init,   ///< closes where its picture should come
        stalls_in_picture, ///< sends the first half of its first picture, and no more
        floods,            ///< sends pictures without being asked
    };

    FakeScreen(std::string path, std::uint32_t colour, Manner manner = Manner::serves);
    ~FakeScreen();
    FakeScreen(const FakeScreen&) = delete;
    FakeScreen& operator=(const FakeScreen&) = delete;

    static constexpr std::uint16_t width = 200;
    static constexpr std::uint16_t height = 100;

    [[nodiscard]] const std::string& address() const { return path_; }

    /// Viewers that ask for changes get it.
    void paint(std::uint32_t colour) { colour_ = colour; }

    /// How many messages of a kind have come, over all connections.
    template <class Message>
    [[nodiscard]] int heard() const {
        const std::lock_guard lock(mutex_);
        const auto found = heard_.find(rfb::ClientMessage(Message{}).index());
        return found == heard_.end() ? 0 : found->second;
    }

    /// Connections that have been made, and bytes that have been sent on the first of them.
    [[nodiscard]] int connections() const { return connections_; }

    [[nodiscard]] std::size_t sent_on_first() const { return sent_on_first_; }

  private:
    struct Watcher;

    void take_connections();
    void serve(const process::Descriptor& socket, bool first);
    bool welcome(Watcher& watcher);
    bool hear(Watcher& watcher);
    bool send_picture(Watcher& watcher);
    bool send(Watcher& watcher, std::string_view bytes);

    std::string path_;
    Manner manner_;
    std::atomic<std::uint32_t> colour_;
    std::atomic<bool> ending_ = false;
    std::atomic<int> connections_ = 0;
    std::atomic<std::size_t> sent_on_first_ = 0;
    mutable std::mutex mutex_;
    std::map<std::size_t, int> heard_;
    process::Descriptor listener_;
    std::list<std::thread> threads_; ///< of the listening thread alone
    std::thread thread_;
};

} // namespace baton::gateway
