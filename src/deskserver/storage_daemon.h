#pragma once

#include "deskserver/qmp.h"
#include "model/error.h"
#include "model/types.h"
#include "process/child.h"

#include <boost/json/object.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace baton::deskserver {

/// Everything one qemu-storage-daemon is started with. Its files lie in one folder, named after the
/// desk and the fencing number, so that whoever starts next finds it: see StorageDaemon::adopt.
struct DaemonOrder {
    std::string program = "qemu-storage-daemon";
    std::string runtime;    ///< the folder of its socket, PID file and log
    std::string tls_folder; ///< ca-cert.pem, server-cert.pem, server-key.pem, dh-params.pem
    std::string image;
    std::int64_t size_bytes = 0; ///< that the guest sees
    bool read_only = false;
    DeskName desk;
    DeskId id;
    FencingNumber fence;
    HostId holder; ///< the only certificate name that may connect
};

/// "desk.<DeskId>.<fence>"
std::string export_name(const DeskId& id, FencingNumber fence);
/// "<runtime>/<desk>.<fence>" + extension
std::string runtime_file(const DaemonOrder& order, std::string_view extension);

/// The command line. `nbd_fd` and `monitor_fd` are listening sockets that it inherits.
std::vector<std::string> daemon_words(const DaemonOrder& order, int nbd_fd, int monitor_fd);
/// The arguments of blockdev-add: the part of the image behind its header, locked as QEMU locks.
boost::json::object node_arguments(const DaemonOrder& order);
/// The arguments of block-export-add.
boost::json::object export_arguments(const DaemonOrder& order);

struct DaemonDeadlines {
    std::chrono::milliseconds start{15'000};
    std::chrono::milliseconds drain{10'000}; ///< writes in flight
    std::chrono::milliseconds quit{3'000};   ///< then it is killed
    std::chrono::milliseconds kill{10'000};  ///< a process in the kernel's hands takes its time
};

/// One qemu-storage-daemon with one export. It outlives us: what ends it is end(), or its death.
/// Not thread-safe.
class StorageDaemon {
  public:
    /// Starts the process; `nbd` is the listening socket it takes over (a copy: ours stays ours).
    /// Nothing is exported yet.
    static Result<std::unique_ptr<StorageDaemon>> start(const DaemonOrder& order,
                                                        const process::Descriptor& nbd,
                                                        const DaemonDeadlines& deadlines);
    /// One that an earlier process of ours started and that lives. Errc::unavailable: it does not
    /// (its socket is dead, and its process has ended by now: the port and the image are free);
    /// Errc::conflict: it lives and exports something else or nothing yet.
    /// In both that and the good case `daemon` can be ended.
    static Result<std::unique_ptr<StorageDaemon>> adopt(const DaemonOrder& order,
                                                        const DaemonDeadlines& deadlines);

    /// Opens the image and exports it. Errc::busy: somebody else has it open.
    Result<void> open_export();
    /// Whether it exports what `order` says.
    Result<bool> exports_it();

    /// Closes the export, waits for the writes in flight, ends the process and waits for its end;
    /// by force when it does not obey. Done: no write of it can ever come. Errc::timeout: it is
    /// still there.
    Result<void> end();

    /// Readable once the process has ended.
    [[nodiscard]] int pidfd() const { return pidfd_.get(); }

    [[nodiscard]] pid_t pid() const { return pid_; }

    /// Takes the dead process away; how it ended and the last line it said.
    std::string reap();

  private:
    StorageDaemon(DaemonOrder order, DaemonDeadlines deadlines)
        : order_(std::move(order)), deadlines_(deadlines) {}

    Result<void> greet();
    /// One whose monitor is dead: waits for the end of its process, which lets go of its sockets
    /// one after the other and of the image's locks last; ends it if it lives.
    Result<void> outlive();
    [[nodiscard]] bool ended_within(std::chrono::milliseconds patience) const;
    void remove_files() const;

    DaemonOrder order_;
    DaemonDeadlines deadlines_;
    std::optional<Qmp> qmp_;
    process::Descriptor pidfd_;
    pid_t pid_ = -1;
};

} // namespace baton::deskserver
