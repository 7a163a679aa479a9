#pragma once

#include "hypervisor/libvirt.h"
#include "hypervisor/libvirt_handles.h"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace baton::hypervisor {

/// Keeps one connection to libvirtd open, with back-off when it cannot be had. A libvirtd that
/// hangs is noticed by keep-alives, and the calls waiting for it fail then.
class LibvirtKeeper {
  public:
    /// Whose connection it is. Called from the keeper's thread, or from start() and stop().
    class Owner {
      public:
        virtual ~Owner() = default;
        /// A connection is open; an error closes it again. Nobody else has it yet.
        virtual Result<void> on_open(const ConnectionHandle& connection) = 0;
        /// connection() gives it to everybody from now on.
        virtual void on_ready() = 0;
        /// The connection that on_ready() announced is lost.
        virtual void on_lost() = 0;
        /// Last use of a connection that on_open() saw, lost or not: deregister what it holds.
        virtual void on_close(const ConnectionHandle& connection) = 0;
    };

    LibvirtKeeper(const LibvirtSettings& settings, Owner& owner);

    ~LibvirtKeeper() { stop(); }

    LibvirtKeeper(const LibvirtKeeper&) = delete;
    LibvirtKeeper& operator=(const LibvirtKeeper&) = delete;

    /// Tries once in the caller's thread, then goes on in its own.
    void start();
    /// No callback runs after this.
    void stop();

    /// Errc::unavailable with libvirt's reason while there is none.
    Result<ConnectionHandle> connection() const;

  private:
    /// Shared with libvirt's close callback, which may outlive the keeper.
    struct Signals {
        std::mutex mutex;
        std::condition_variable changed;
        bool lost = false;
        bool over = false;
    };

    void run();
    bool try_open();
    /// Takes the connection away from everybody; `reason` is what callers hear from now on.
    void close(Error reason);
    Result<ConnectionHandle> open();

    std::string uri_;
    std::chrono::milliseconds first_pause_;
    std::chrono::milliseconds longest_pause_;
    Owner& owner_;
    std::shared_ptr<Signals> signals_ = std::make_shared<Signals>();
    mutable std::mutex mutex_;
    ConnectionHandle connection_;
    Error reason_{Errc::unavailable, "the hypervisor has not been connected yet", {}, 0};
    std::thread thread_;
};

} // namespace baton::hypervisor
