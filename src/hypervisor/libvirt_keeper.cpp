#include "hypervisor/libvirt_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>

namespace baton::hypervisor {

namespace {

// a call waits at most interval * (count + 1) for a libvirtd that does not answer at all
constexpr int keepalive_interval_seconds = 5;
constexpr unsigned keepalive_count = 4;

/// Who is told of a lost connection, by number. A dead connection cannot unregister its callback,
/// and libvirt then never frees what the callback was given: it is given a number.
class Listeners {
  public:
    std::uintptr_t add(std::function<void()> listener) {
        const std::scoped_lock lock(mutex_);
        listeners_[++last_] = std::move(listener);
        return last_;
    }

    void remove(std::uintptr_t number) {
        const std::scoped_lock lock(mutex_);
        listeners_.erase(number);
    }

    void call(std::uintptr_t number) {
        const std::scoped_lock lock(mutex_);
        if (const auto found = listeners_.find(number); found != listeners_.end())
            found->second();
    }

  private:
    std::mutex mutex_;
    std::map<std::uintptr_t, std::function<void()>> listeners_;
    std::uintptr_t last_ = 0;
};

Listeners& listeners() {
    static Listeners all;
    return all;
}

} // namespace

LibvirtKeeper::LibvirtKeeper(const LibvirtSettings& settings, Owner& owner)
    : uri_(settings.uri),
      first_pause_(settings.reconnect_first),
      longest_pause_(settings.reconnect_most),
      owner_(owner) {}

void LibvirtKeeper::start() {
    try_open();
    thread_ = std::thread([this] { run(); });
}

void LibvirtKeeper::stop() {
    {
        const std::scoped_lock lock(signals_->mutex);
        signals_->over = true;
    }
    signals_->changed.notify_all();
    if (thread_.joinable())
        thread_.join();
    close(Error{Errc::cancelled, "the hypervisor's adapter has ended", {}, 0});
}

void LibvirtKeeper::close(Error reason) {
    ConnectionHandle connection;
    {
        const std::scoped_lock lock(mutex_);
        connection = std::move(connection_);
        reason_ = std::move(reason);
    }
    if (connection)
        owner_.on_close(connection);
}

Result<ConnectionHandle> LibvirtKeeper::connection() const {
    const std::scoped_lock lock(mutex_);
    if (!connection_)
        return tl::unexpected(reason_);
    return connection_;
}

Result<ConnectionHandle> LibvirtKeeper::open() {
    const std::string doing = fmt::format("cannot reach the hypervisor at {}", uri_);
    virConnectPtr raw = virConnectOpen(uri_.c_str());
    if (raw == nullptr) {
        Error error = libvirt_error(doing);
        error.code = Errc::unavailable;
        error.hint = "is libvirtd running? see: virsh -c " + uri_ + " version";
        return tl::unexpected(std::move(error));
    }
    const auto number = listeners().add([signals = signals_] {
        {
            const std::scoped_lock lock(signals->mutex);
            signals->lost = true;
        }
        signals->changed.notify_all();
    });
    const auto closed = [](virConnectPtr, int, void* opaque) {
        listeners().call(reinterpret_cast<std::uintptr_t>(opaque));
    };
    // NOLINTNEXTLINE(performance-no-int-to-ptr): libvirt hands it back, nobody follows it
    void* const opaque = reinterpret_cast<void*>(number);
    if (virConnectRegisterCloseCallback(raw, closed, opaque, nullptr) != 0) {
        const Error error = libvirt_error(doing);
        listeners().remove(number);
        virConnectClose(raw);
        return tl::unexpected(error);
    }
    virConnectSetKeepAlive(raw, keepalive_interval_seconds, keepalive_count);
    return ConnectionHandle(raw, [closed, number](virConnectPtr connection) {
        listeners().remove(number);
        // the callback holds a reference of its own
        virConnectUnregisterCloseCallback(connection, closed);
        virConnectClose(connection);
    });
}

bool LibvirtKeeper::try_open() {
    {
        const std::scoped_lock lock(signals_->mutex);
        signals_->lost = false;
    }
    auto opened = open();
    Result<void> usable;
    if (opened)
        usable = owner_.on_open(*opened);
    if (opened && !usable)
        owner_.on_close(*opened);
    {
        const std::scoped_lock lock(mutex_);
        if (!opened || !usable) {
            reason_ = opened ? usable.error() : opened.error();
            return false;
        }
        connection_ = std::move(*opened);
    }
    owner_.on_ready();
    return true;
}

void LibvirtKeeper::run() {
    std::chrono::milliseconds pause = first_pause_;
    bool connected = connection().has_value();
    while (true) {
        {
            std::unique_lock lock(signals_->mutex);
            if (connected)
                signals_->changed.wait(lock, [&] { return signals_->lost || signals_->over; });
            else
                signals_->changed.wait_for(lock, pause, [&] { return signals_->over; });
            if (signals_->over)
                return;
        }
        if (connected) {
            close(Error{Errc::unavailable,
                        fmt::format("the connection to the hypervisor at {} was lost", uri_),
                        "it is tried again; is libvirtd running?", 0});
            owner_.on_lost();
            pause = first_pause_;
        } else {
            pause = std::min(pause * 2, longest_pause_);
        }
        connected = try_open();
    }
}

} // namespace baton::hypervisor
