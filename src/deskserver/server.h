#pragma once

#include "desk/check.h"
#include "desk/copies.h"
#include "desk/create.h"
#include "deskserver/storage_daemon.h"
#include "model/error.h"
#include "model/types.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

/// The one door to managed desks: their files, their leases, their exports. What `baton-deskd`
/// serves over HTTPS (http.h), without any HTTP.
namespace baton::deskserver {

struct Settings {
    std::string desks;   ///< folder of <name>.desk; hosts share no path to it
    std::string runtime; ///< folder for sockets, PID files and logs of the storage daemons
    std::string export_address = "127.0.0.1"; ///< where hosts reach the exports
    std::uint16_t first_port = 0;             ///< 0: any free one
    std::uint16_t last_port = 0;
    std::string certificate; ///< PEM files of the server, for NBD over TLS
    std::string key;
    std::string authority;                    ///< hosts' certificates must be of this CA
    bool checked_out_read_only = false;       ///< a desk on a stick: export it read-only, or refuse
    bool end_exports_at_exit = false;         ///< false: they go on, and the next start finds them
    std::int64_t low_space_bytes = 1LL << 30; ///< less free than this is told
    std::string program = "qemu-storage-daemon";
    std::string skeleton = "/etc/skel"; ///< of new homes
    std::size_t most_snapshots = 16;    ///< of one desk: who may take them is not who has the disk
    DaemonDeadlines deadlines;
    unsigned most_restarts = 3; ///< of one export within restart_window; then it is given up
    std::chrono::seconds restart_window{60};
    std::chrono::milliseconds space_interval{10'000}; ///< how often the free space is looked at
};

/// An export as it stands.
struct ExportView {
    DeskExport desk_export;
    HostId holder;
    pid_t process = -1;
    unsigned restarts = 0;
    std::string failure; ///< not empty: it has been given up, and why
};

struct DeskView {
    DeskName name;
    desk::Header header;
    std::vector<std::string> warnings;
    std::int64_t allocated_bytes = 0; ///< on the server's disk
    std::int64_t free_bytes = 0;      ///< inside, as its file system last said; 0 if unknown
    std::optional<Error> problem;     ///< set: the image is damaged, and header may be empty
    std::optional<ExportView> exported;
};

struct Space {
    std::int64_t free_bytes = 0;
    std::int64_t total_bytes = 0;
    bool low = false;
};

/// What happened by itself, for the log.
struct Incident {
    enum class Kind { restarted, given_up, adopted, orphan_ended, space_low, space_well } kind;
    DeskName desk;
    std::string text;
};

/// Thread-safe and synchronous: calls about one desk wait for each other, calls about different
/// desks do not. A second DeskServer over the same folders is refused.
class DeskServer {
  public:
    /// Prepares the folders and finds what an earlier one left: exports that still run under the
    /// lease that their desk's header names go on; such that have died are started again on their
    /// port; all others are ended before anything is opened.
    static Result<std::unique_ptr<DeskServer>>
    open(Settings settings, std::function<void(const Incident&)> on_incident);
    ~DeskServer();
    DeskServer(const DeskServer&) = delete;
    DeskServer& operator=(const DeskServer&) = delete;

    Result<DeskView> create(const DeskName& name, const std::string& owner,
                            std::int64_t size_bytes);
    [[nodiscard]] Result<std::vector<DeskView>> list();
    Result<DeskView> show(const DeskName& name);
    /// Errc::busy: it is exported. The verdict is written into its header.
    Result<desk::CheckReport> check(const DeskName& name, bool repair);
    /// Deletes the file. Errc::busy: exported.
    Result<void> remove(const DeskName& name);
    Result<Space> space() const;

    /// As desk::take_snapshot and the others of desk/copies.h, on a managed desk. Errc::busy:
    /// exported; Errc::full: no space, or it has `most_snapshots` already.
    Result<desk::Snapshot> take_snapshot(const DeskName& name, const std::string& snapshot);
    Result<std::vector<desk::Snapshot>> snapshots(const DeskName& name);
    Result<void> remove_snapshot(const DeskName& name, const std::string& snapshot);
    Result<DeskView> restore(const DeskName& name, const std::string& snapshot);

    /// The mark that a desk was taken away, as desk::mark_checked_out; the copy was made otherwise.
    Result<DeskView> check_out(const DeskName& name, const std::string& journey,
                               std::uint64_t generation, const std::string& place);
    /// Whether a copy with this header may take the desk's place, before its content is looked at.
    /// Errc::conflict, as desk::may_come_back; Errc::invalid_argument: it has another size.
    Result<void> may_come_back(const DeskName& name, const desk::Header& copy);
    /// As desk::check_in. `copy`: an image beside the desks, of that content; it is used up. When
    /// the desk has this very content from it already, nothing happens.
    Result<DeskView> check_in(const DeskName& name, const std::string& copy,
                              const std::string& content_sha256);
    /// As desk::call_off: the copy is lost.
    Result<DeskView> call_off(const DeskName& name);

    /// As handoff::DeskServer::lease. Errc::conflict: a larger number has been given out, or this
    /// one to another holder; Errc::corrupt: the image is damaged (named); Errc::refused: it is
    /// checked out; Errc::busy: something outside has the file open; Errc::timeout: the old export
    /// does not end. In no case do two exports exist, or an old one that can still write.
    Result<DeskExport> lease(const DeskName& name, FencingNumber fence, const HostId& holder);
    /// Closes the export and the lease up to and including `fence`. None, or no such desk: success.
    Result<void> close(const DeskName& name, FencingNumber fence);

    /// Calls `work` with the path of the desk's file while nobody has it open for writing and
    /// nobody gets it: for copying it out. Errc::busy.
    Result<void> with_idle_file(const DeskName& name,
                                const std::function<Result<void>(const std::string&)>& work);
    /// Takes a finished file in the desks folder's file system in as a new desk, after a check.
    Result<DeskView> adopt_file(const DeskName& name, const std::string& path);

  private:
    struct Lease;
    struct Desk;
    struct Held;

    DeskServer(Settings settings, std::function<void(const Incident&)> on_incident);

    Result<void> prepare();
    Result<void> recover();
    void recover_one(const Lease& lease);
    [[nodiscard]] std::string path_of(const DeskName& name) const;
    [[nodiscard]] DaemonOrder order_for(const Lease& lease) const;
    /// The desk's entry, locked.
    Held hold(const DeskName& name);
    /// The entry of a desk that is there and not exported, locked.
    Result<Held> hold_idle(const DeskName& name);

    [[nodiscard]] Result<DeskView> view(const DeskName& name, const Desk& desk) const;
    [[nodiscard]] Result<void> check_lease(const DeskName& name, const desk::Header& header,
                                           FencingNumber fence, const HostId& holder) const;
    Result<void> check_unique(const DeskId& id);
    Result<DeskExport> move_lease(Desk& desk, const DeskName& name, FencingNumber fence,
                                  const HostId& holder);
    Result<void> listen(Desk& desk);
    /// For desk.lease: listens, writes the record, starts the process, exports, watches it.
    Result<void> start_daemon(Desk& desk);
    /// Ends the process and forgets desk.lease; its record goes.
    Result<void> end_daemon(Desk& desk);
    [[nodiscard]] Result<void> write_record(const Lease& lease) const;

    void watch(Desk& desk, const DeskName& name);
    void unwatch(Desk& desk);
    void supervise();
    void on_death(const DeskName& name, std::uint64_t watch);
    void look_at_space();
    void tell(Incident::Kind kind, const DeskName& desk, std::string text) const;

    Settings settings_;
    std::function<void(const Incident&)> on_incident_;
    process::Descriptor guard_; ///< locked: one server over these folders
    process::Descriptor stop_;  ///< eventfd: the supervisor is to end
    process::Descriptor epoll_; ///< of the processes' ends
    std::mutex mutex_;          ///< of the maps; taken last, nothing is waited for under it
    std::map<DeskName, std::shared_ptr<Desk>> desks_;
    std::map<std::uint64_t, DeskName> watches_;
    std::uint64_t last_watch_ = 0;
    bool space_low_ = false; ///< of the supervisor alone
    std::thread supervisor_;
};

} // namespace baton::deskserver
